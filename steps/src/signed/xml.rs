//! The XML that AWS answers with, as a tree: elements and texts, no attributes.
//! Knows nothing of any service.

use quick_xml::Reader;
use quick_xml::events::Event;

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xml {
    /// Its name, without a prefix.
    pub name: String,
    /// Its own text.
    pub text: String,
    /// What is in it.
    pub children: Vec<Xml>,
}

impl Xml {
    /// The root element of a document.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|e| e.to_string())? {
                Event::Start(tag) => open.push(Self::named(tag.local_name().as_ref())),
                Event::Empty(tag) => top(&mut open).children.push(Self::named(tag.local_name().as_ref())),
                Event::End(_) => {
                    let done = open.pop().ok_or("an element ends that did not begin")?;
                    top(&mut open).children.push(done);
                }
                Event::Text(text) => top(&mut open).text.push_str(&String::from_utf8_lossy(&text)),
                Event::CData(text) => top(&mut open).text.push_str(&String::from_utf8_lossy(&text)),
                Event::GeneralRef(name) => top(&mut open).text.push(character(&String::from_utf8_lossy(&name))?),
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        match (open.len(), open.pop().and_then(|mut outside| outside.children.pop())) {
            (1, Some(root)) => Ok(root),
            (_, _) => Err("it does not end".to_owned()),
        }
    }

    fn named(name: &[u8]) -> Self {
        Self { name: String::from_utf8_lossy(name).into_owned(), ..Self::default() }
    }

    /// The first element of this name in it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element of this name in it.
    pub fn text_at(&self, name: &str) -> Option<&str> {
        self.get(name).map(|child| child.text.trim())
    }

    /// The elements in the list `name`, whatever they are called (`item`, `member`).
    pub fn list(&self, name: &str) -> &[Self] {
        self.get(name).map_or(&[], |list| &list.children)
    }

    /// What the list `name` holds at `member`.
    pub fn texts(&self, name: &str, member: &str) -> Vec<String> {
        self.list(name).iter().filter_map(|item| item.text_at(member)).map(str::to_owned).collect()
    }
}

fn top(open: &mut Vec<Xml>) -> &mut Xml {
    if open.is_empty() {
        open.push(Xml::default());
    }
    open.last_mut().expect("one was put there")
}

/// What `&name;` stands for.
fn character(name: &str) -> Result<char, String> {
    let number = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    });
    match (name, number.and_then(char::from_u32)) {
        (_, Some(character)) => Ok(character),
        ("lt", _) => Ok('<'),
        ("gt", _) => Ok('>'),
        ("amp", _) => Ok('&'),
        ("quot", _) => Ok('"'),
        ("apos", _) => Ok('\''),
        (other, None) => Err(format!("there is no character &{other};")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_a_tree() {
        let text = "<?xml version=\"1.0\"?><R xmlns=\"x\"><set><item><id>a &lt;&#x41;&gt;</id></item><item><id>b</id></item></set><no/></R>";
        let root = Xml::read(text).expect("it is XML");
        assert_eq!(root.texts("set", "id"), ["a <A>", "b"]);
        assert_eq!((root.name.as_str(), root.text_at("no"), root.text_at("none")), ("R", Some(""), None));
    }

    #[test]
    fn what_is_no_xml_is_said() {
        for text in ["", "<a>", "<a><b></a>", "<a>&nbsp;</a>", "{}"] {
            Xml::read(text).expect_err(text);
        }
    }
}
