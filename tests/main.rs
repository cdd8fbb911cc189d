//! The integration suite: one binary, so that it links once.
//! Everything here uses hprun as its users do: as a program, or by the files it ships.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

mod architecture;
mod aws;
mod docs;
