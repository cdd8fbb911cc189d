//! Ids that look like AWS's and are the same in every world that does the same things.
//! Must not know what the ids are for.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The source of a world's ids: a counter, hashed.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ids {
    made: u64,
}

impl Ids {
    /// `prefix` and 17 hexadecimal digits that begin with a 0, as in `vpc-0a1b2c3d4e5f60718`.
    pub fn aws(&mut self, prefix: &str) -> String {
        format!("{prefix}0{}", self.hex(16))
    }

    /// So many hexadecimal digits, at most 64.
    pub fn hex(&mut self, digits: usize) -> String {
        self.made += 1;
        hex::encode(Sha256::digest(format!("hprun sandbox id {}", self.made)))[..digits].to_owned()
    }

    /// A UUID (version 4 in form).
    pub fn uuid(&mut self) -> String {
        let bytes = hex::decode(self.hex(32)).expect("hex digits decode");
        let bytes: [u8; 16] = bytes.try_into().expect("32 digits are 16 bytes");
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// So many letters and digits in lower case, as in the endings of generated names; at most 32.
    pub fn suffix(&mut self, length: usize) -> String {
        let hex = self.hex(64);
        let pairs = hex.as_bytes().chunks_exact(2);
        pairs
            .map(|pair| usize::from(pair[0]) * 7 + usize::from(pair[1]))
            .take(length)
            .map(|n| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[n % 36]))
            .collect()
    }
}
