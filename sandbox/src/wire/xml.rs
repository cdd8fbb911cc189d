//! Writes XML answers.
//! Must not know what they mean.

/// XML text that grows by elements.
#[derive(Debug, Default)]
pub struct Xml {
    text: String,
}

impl Xml {
    /// A document with its declaration.
    pub fn document() -> Xml {
        Xml { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() }
    }

    /// Begins the outermost element with its name space.
    pub fn open_ns(&mut self, tag: &str, namespace: &str) {
        self.text.push_str(&format!("<{tag} xmlns=\"{namespace}\">"));
    }

    /// Ends an element.
    pub fn close(&mut self, tag: &str) {
        self.text.push_str(&format!("</{tag}>"));
    }

    /// An element with others in it.
    pub fn nest(&mut self, tag: &str, write: impl FnOnce(&mut Xml)) {
        self.text.push_str(&format!("<{tag}>"));
        write(self);
        self.close(tag);
    }

    /// An element with text in it.
    pub fn text(&mut self, tag: &str, value: impl std::fmt::Display) {
        self.nest(tag, |xml| xml.text.push_str(&escape(&value.to_string())));
    }

    /// An element with text in it, left out when there is none.
    pub fn maybe(&mut self, tag: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.text(tag, value);
        }
    }

    /// A list: `<tag><item>…</item><item>…</item></tag>`, where `item` is `member` in Query and `item` in EC2.
    pub fn list<T>(
        &mut self,
        tag: &str,
        item: &str,
        values: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Xml, T),
    ) {
        self.nest(tag, |xml| {
            for value in values {
                xml.nest(item, |xml| write(xml, value));
            }
        });
    }

    /// Text inside the element that is open.
    pub fn inner(&mut self, value: impl std::fmt::Display) {
        self.text.push_str(&escape(&value.to_string()));
    }

    /// The text so far.
    pub fn finish(self) -> String {
        self.text
    }
}

/// Escaped for element text. Carriage returns too, which a parser would otherwise turn into line feeds; control characters that
/// XML 1.0 cannot hold become question marks.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' | '\n' => escaped.push(character),
            other if other.is_control() && other < ' ' => escaped.push('?'),
            other => escaped.push(other),
        }
    }
    escaped
}
