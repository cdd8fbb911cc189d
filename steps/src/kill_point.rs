//! Moments at which the crash test ends this process by SIGKILL, and a trace of those that were reached (docs/crash-test.md).
//! Must not change what the program does. Builds without debug assertions, so all releases, have none of it.

/// A moment that the crash test may choose.
#[inline]
pub fn reach(label: impl FnOnce() -> String) {
    reach_all(|| vec![label()]);
}

/// One moment with several names: a commit of several events.
#[cfg(debug_assertions)]
pub fn reach_all(labels: impl FnOnce() -> Vec<String>) {
    armed::reach_all(labels);
}

/// One moment with several names: a commit of several events.
#[cfg(not(debug_assertions))]
#[inline]
pub fn reach_all(_: impl FnOnce() -> Vec<String>) {}

/// What `asked` gives, with a moment before it and one after it.
pub async fn around<T>(what: &str, asked: impl Future<Output = T>) -> T {
    reach(|| format!("before {what}"));
    let answer = asked.await;
    reach(|| format!("after {what}"));
    answer
}

#[cfg(debug_assertions)]
mod armed {
    use std::fs::File;
    use std::io::Write;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A file to which every moment reached is appended, a line each.
    const TRACE: &str = "HPRUN_KILL_TRACE";
    /// `N:LABEL` ends the process when LABEL is reached for the Nth time; without a label, at the Nth moment of all.
    const POINT: &str = "HPRUN_KILL_POINT";

    struct Armed {
        trace: Option<File>,
        point: Option<Point>,
    }

    struct Point {
        label: String,
        turn: u64,
        seen: AtomicU64,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(|| {
        let trace = std::env::var_os(TRACE).map(|path| {
            File::options()
                .create(true)
                .append(true)
                .open(path)
                .expect("the crash test names a file that can be written")
        });
        let point = std::env::var(POINT).ok().map(|text| {
            let (turn, label) = text.split_once(':').expect("the crash test names a point as N:LABEL");
            let turn = turn.parse().expect("the crash test counts with numbers");
            Point { label: label.to_owned(), turn, seen: AtomicU64::new(0) }
        });
        (trace.is_some() || point.is_some()).then_some(Armed { trace, point })
    });

    pub(super) fn reach_all(labels: impl FnOnce() -> Vec<String>) {
        let Some(armed) = &*ARMED else { return };
        let labels = labels();
        if let Some(mut trace) = armed.trace.as_ref() {
            // One write, so that lines of several processes never mix.
            let line = format!("{}\n", labels.join(" + "));
            trace.write_all(line.as_bytes()).expect("the trace of the crash test can be written");
        }
        if armed.point.as_ref().is_some_and(|point| point.is_now(&labels)) {
            die();
        }
    }

    impl Point {
        fn is_now(&self, labels: &[String]) -> bool {
            let fits = self.label.is_empty() || labels.contains(&self.label);
            fits && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.turn
        }
    }

    fn die() -> ! {
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::KILL).expect("a process may end itself");
        loop {
            std::thread::park();
        }
    }
}
