//! A disk as SQLite sees it: its own unix file system, with every call that may change something led past the disk.
//! Knows nothing of faults and records. The one place of the runner's tests that is not safe Rust.
#![expect(unsafe_code, reason = "SQLite takes a file system as C functions only")]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use super::{Disk, Fault, disks};

/// Makes the file system known to SQLite by this name, beside the usual one.
pub fn register(name: &'static CStr) {
    let real = real_vfs();
    let own = c_int::try_from(size_of::<OpenFile>()).expect("two pointers");
    // SAFETY: the usual file system stays registered. All that is not replaced are functions of it that take its own
    // `pAppData` from the copy, or nothing.
    let vfs = unsafe {
        sqlite3_vfs {
            szOsFile: (*real).szOsFile + own,
            pNext: std::ptr::null_mut(),
            zName: name.as_ptr(),
            xOpen: Some(open),
            xDelete: Some(delete),
            ..*real
        }
    };
    // SAFETY: the copy is never freed.
    let code = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 0) };
    assert_eq!(code, ffi::SQLITE_OK);
}

fn real_vfs() -> *mut sqlite3_vfs {
    // SAFETY: a C string.
    let real = unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) };
    assert!(!real.is_null());
    real
}

/// A file as SQLite holds it; the real one's memory follows.
#[repr(C)]
struct OpenFile {
    methods: *const sqlite3_io_methods,
    link: *mut Link,
}

struct Link {
    on: Option<(Arc<Disk>, usize)>,
}

/// The disk that a file is on, and the file's name there.
///
/// # Safety
/// `path` is null or a C string.
unsafe fn place(path: *const c_char) -> Option<(Arc<Disk>, PathBuf, String)> {
    if path.is_null() {
        return None;
    }
    // SAFETY: by the caller.
    let path = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
    let disk = Arc::clone(disks().get(path.parent()?)?);
    Some((disk, path.to_owned(), path.file_name()?.to_string_lossy().into_owned()))
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    path: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a path or null, and memory of the size that was registered.
    unsafe {
        (*file).pMethods = std::ptr::null();
        let place = place(path);
        let fault = place.as_ref().and_then(|(disk, ..)| disk.fault());
        let mut flags = flags;
        if fault == Some(Fault::ReadOnly) {
            if flags & ffi::SQLITE_OPEN_MAIN_DB == 0 {
                return ffi::SQLITE_CANTOPEN;
            }
            flags &= !(ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE);
            flags |= ffi::SQLITE_OPEN_READONLY;
        }
        // Only of a file that is not open yet: to close it would let go of its locks.
        let new = place.as_ref().filter(|(disk, _, name)| !disk.knows(name));
        let found = new.and_then(|(_, path, _)| std::fs::read(path).ok());
        let real = real_vfs();
        let inner = file.cast::<OpenFile>().add(1).cast::<sqlite3_file>();
        let code = (*real).xOpen.expect("files are opened")(real, path, inner, flags, out);
        if code != ffi::SQLITE_OK {
            return code;
        }
        let on = place.map(|(disk, _, name)| {
            let number = disk.opened(&name, found);
            (disk, number)
        });
        let methods = if fault == Some(Fault::NoSharedMemory) { &WITHOUT_SHARED_MEMORY } else { &METHODS };
        file.cast::<OpenFile>().write(OpenFile { methods, link: Box::into_raw(Box::new(Link { on })) });
        code
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, path: *const c_char, _: c_int) -> c_int {
    // SAFETY: SQLite gives a path.
    unsafe {
        let real = real_vfs();
        let delete = || (*real).xDelete.expect("files are deleted")(real, path, 0);
        match place(path) {
            Some((disk, _, name)) => disk.delete(&name, delete),
            None => delete(),
        }
    }
}

/// The real file and what it can do, and the disk that it is on.
///
/// # Safety
/// `file` was opened by [`open`] and is not closed.
unsafe fn real<'a>(
    file: *mut sqlite3_file,
) -> (*mut sqlite3_file, &'a sqlite3_io_methods, Option<&'a (Arc<Disk>, usize)>) {
    // SAFETY: by the caller.
    unsafe {
        let own = file.cast::<OpenFile>();
        let inner = own.add(1).cast::<sqlite3_file>();
        (inner, &*(*inner).pMethods, (*(*own).link).on.as_ref())
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

static WITHOUT_SHARED_MEMORY: sqlite3_io_methods = sqlite3_io_methods { iVersion: 1, ..METHODS };

// SAFETY of all below: SQLite calls them with a file that `open` opened, and with the arguments of its documentation,
// which are handed on as they are.

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    unsafe {
        let (inner, methods, _) = real(file);
        let code = methods.xClose.expect("version 1")(inner);
        drop(Box::from_raw((*file.cast::<OpenFile>()).link));
        code
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, length: c_int, at: i64) -> c_int {
    unsafe {
        let (inner, methods, _) = real(file);
        methods.xRead.expect("version 1")(inner, to, length, at)
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, length: c_int, at: i64) -> c_int {
    unsafe {
        let (inner, methods, on) = real(file);
        let write = methods.xWrite.expect("version 1");
        let Some((disk, number)) = on else { return write(inner, from, length, at) };
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), length as usize);
        disk.write(*number, at as usize, bytes, |length| write(inner, from, length as c_int, at))
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    unsafe {
        let (inner, methods, on) = real(file);
        let truncate = || methods.xTruncate.expect("version 1")(inner, size);
        on.map_or_else(truncate, |(disk, number)| disk.truncate(*number, size as usize, truncate))
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    let on = unsafe { real(file) }.2;
    on.map_or(ffi::SQLITE_OK, |(disk, number)| disk.sync(*number))
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut i64) -> c_int {
    unsafe {
        let (inner, methods, _) = real(file);
        methods.xFileSize.expect("version 1")(inner, size)
    }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    unsafe {
        let (inner, methods, on) = real(file);
        let lock = || methods.xLock.expect("version 1")(inner, level);
        on.map_or_else(lock, |(disk, _)| disk.lock(lock))
    }
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    unsafe {
        let (inner, methods, _) = real(file);
        methods.xUnlock.expect("version 1")(inner, level)
    }
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, out: *mut c_int) -> c_int {
    unsafe {
        let (inner, methods, _) = real(file);
        methods.xCheckReservedLock.expect("version 1")(inner, out)
    }
}

unsafe extern "C" fn file_control(file: *mut sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    unsafe {
        let (inner, methods, _) = real(file);
        methods.xFileControl.expect("version 1")(inner, op, argument)
    }
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    unsafe {
        let (inner, methods, _) = real(file);
        methods.xSectorSize.expect("version 1")(inner)
    }
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    unsafe {
        let (inner, methods, _) = real(file);
        methods.xDeviceCharacteristics.expect("version 1")(inner)
    }
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    unsafe {
        let (inner, methods, on) = real(file);
        let map = || methods.xShmMap.expect("version 2")(inner, page, size, extend, out);
        on.filter(|_| extend != 0).map_or_else(map, |(disk, _)| disk.grow_shared_memory(map))
    }
}

unsafe extern "C" fn shm_lock(file: *mut sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    unsafe {
        let (inner, methods, _) = real(file);
        methods.xShmLock.expect("version 2")(inner, offset, count, flags)
    }
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    unsafe {
        let (inner, methods, _) = real(file);
        methods.xShmBarrier.expect("version 2")(inner);
    }
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, delete: c_int) -> c_int {
    unsafe {
        let (inner, methods, _) = real(file);
        methods.xShmUnmap.expect("version 2")(inner, delete)
    }
}
