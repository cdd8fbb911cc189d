//! IPv4 address blocks: parsing, containment, overlap, free addresses.
//! Pure; knows nothing of VPCs or of AWS's errors.

use std::fmt;
use std::net::Ipv4Addr;

/// An IPv4 block such as `10.0.0.0/16`; the host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    base: u32,
    prefix: u8,
}

impl Cidr {
    /// Parses `a.b.c.d/n`; None when it is no block. Host bits are cleared, as EC2 does.
    pub fn parse(text: &str) -> Option<Cidr> {
        let (address, prefix) = text.split_once('/')?;
        let address: Ipv4Addr = address.parse().ok()?;
        let prefix: u8 = prefix.parse().ok().filter(|p| *p <= 32)?;
        Some(Cidr { base: u32::from(address) & mask(prefix), prefix })
    }

    /// The prefix length.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Number of addresses in the block.
    pub fn size(&self) -> u64 {
        1_u64 << (32 - u32::from(self.prefix))
    }

    /// True when `other` lies wholly inside this block.
    pub fn contains(&self, other: &Cidr) -> bool {
        self.prefix <= other.prefix && other.base & mask(self.prefix) == self.base
    }

    /// True when the two blocks share an address.
    pub fn overlaps(&self, other: &Cidr) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// The address at `offset` from the start; None past the end.
    pub fn address(&self, offset: u64) -> Option<Ipv4Addr> {
        let offset = u32::try_from(offset).ok().filter(|o| u64::from(*o) < self.size())?;
        Some(Ipv4Addr::from(self.base + offset))
    }

    /// Which private range (RFC 1918) the block is in, if any: VPC CIDRs of different ranges do not mix.
    pub fn private_range(&self) -> Option<&'static str> {
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
            .into_iter()
            .find(|range| Cidr::parse(range).is_some_and(|range| range.contains(self)))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Cidr;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn blocks_contain_and_overlap() {
        for (a, b, contains, overlaps) in [
            ("10.0.0.0/16", "10.0.4.0/24", true, true),
            ("10.0.4.0/24", "10.0.0.0/16", false, true),
            ("10.0.0.0/16", "10.1.0.0/16", false, false),
            ("0.0.0.0/0", "192.168.1.1/32", true, true),
        ] {
            assert_eq!((cidr(a).contains(&cidr(b)), cidr(a).overlaps(&cidr(b))), (contains, overlaps), "{a} {b}");
        }
    }

    #[test]
    fn texts_that_are_no_block_are_refused() {
        for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "x/8", "10.0.0.0/"] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
        assert_eq!(cidr("10.0.0.77/28").to_string(), "10.0.0.64/28");
        assert_eq!(cidr("10.0.0.64/28").address(15).map(|a| a.to_string()), Some("10.0.0.79".into()));
        assert_eq!(cidr("10.0.0.64/28").address(16), None);
    }
}
