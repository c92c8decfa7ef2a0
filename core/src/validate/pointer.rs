//! JSON pointers that cost nothing until they are written.

use std::fmt;

/// A place in the canonical record: a chain on the stack, rendered as an RFC 6901 pointer only when there is a finding.
///
/// ```
/// use cartwire::validate::Pointer;
/// let body = Pointer::root("body");
/// let lines = body.name("lines");
/// let line = lines.index(3);
/// assert_eq!(line.name("quantity").to_string(), "/body/lines/3/quantity");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pointer<'a> {
    parent: Option<&'a Pointer<'a>>,
    segment: Segment<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Segment<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Pointer<'a> {
    /// A member of the record itself.
    #[must_use]
    pub const fn root(name: &'a str) -> Self {
        Pointer { parent: None, segment: Segment::Name(name) }
    }

    /// A member of the object here.
    #[must_use]
    pub const fn name(&'a self, name: &'a str) -> Self {
        Pointer { parent: Some(self), segment: Segment::Name(name) }
    }

    /// An element of the list here.
    #[must_use]
    pub const fn index(&'a self, index: usize) -> Self {
        Pointer { parent: Some(self), segment: Segment::Index(index) }
    }
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        f.write_str("/")?;
        match self.segment {
            Segment::Index(index) => write!(f, "{index}"),
            Segment::Name(name) => name.split_inclusive(['~', '/']).try_for_each(|part| match part.as_bytes() {
                [.., b'~'] => write!(f, "{}~0", &part[..part.len() - 1]),
                [.., b'/'] => write!(f, "{}~1", &part[..part.len() - 1]),
                _ => f.write_str(part),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_tildes_in_names_are_escaped_as_rfc_6901_says() {
        assert_eq!(Pointer::root("a/b~c").name("d").index(0).to_string(), "/a~1b~0c/d/0");
    }
}
