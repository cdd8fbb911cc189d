//! What all Describe calls share: ids asked for, filters, pages.
//! Knows nothing of the things described; each says how it is found, filtered and written.

use super::fault;
use super::model::{State, Tags};
use crate::wire::{Call, Form, Reply, ServiceError, Xml};

/// How one kind of thing is described.
pub(super) struct Listing<T: 'static> {
    /// The parameter that asks for things by id, as in `VpcId`.
    pub ids: &'static str,
    /// The element that holds the answer's items, as in `vpcSet`.
    pub set: &'static str,
    /// The thing's id.
    pub id: fn(&T) -> &str,
    /// EC2's error when there is no thing of an id.
    pub exists: fn(&State, &str) -> Result<(), ServiceError>,
    /// The thing's tags.
    pub tags: fn(&T) -> &Tags,
    /// The values that a filter of this name looks at; None for a filter that the sandbox does not know.
    pub look: fn(&State, &T, &str) -> Option<Vec<String>>,
    /// Writes the members of one item.
    pub write: fn(&mut Xml, &State, &T),
}

impl<T> Listing<T> {
    /// Answers a Describe call over `all`.
    pub fn answer<'a>(
        &self,
        net: &'a State,
        call: &Call,
        all: impl Iterator<Item = &'a T>,
    ) -> Result<Option<Reply>, ServiceError> {
        let mut form = call.form();
        dry_run(&mut form)?;
        let ids = form.texts(self.ids);
        for id in &ids {
            (self.exists)(net, id)?;
        }
        let filters = Filter::take(&mut form)?;
        let page = Page::take(&mut form)?;
        form.finish()?;
        let mut found = Vec::new();
        for thing in all.filter(|thing| ids.is_empty() || ids.iter().any(|id| id == (self.id)(thing))) {
            if keep(&filters, (self.tags)(thing), |name| (self.look)(net, thing, name))? {
                found.push(thing);
            }
        }
        let (found, next) = page.cut(found);
        Ok(Some(Reply::ec2(call, |xml| {
            xml.list(self.set, "item", found, |xml, thing| (self.write)(xml, net, thing));
            xml.maybe("nextToken", next);
        })))
    }
}

/// One filter: a name, and the values of which one must match.
pub(super) struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filter {
    /// The filters of a call.
    pub fn take(form: &mut Form) -> Result<Vec<Filter>, ServiceError> {
        let filter = |mut item: Form| {
            let filter = Filter { name: item.take("Name").unwrap_or_default(), values: item.texts("Value") };
            item.finish().map(|()| filter)
        };
        form.list("Filter").into_iter().map(filter).collect()
    }
}

/// Whether a thing passes all filters.
pub(super) fn keep(
    filters: &[Filter],
    tags: &Tags,
    look: impl Fn(&str) -> Option<Vec<String>>,
) -> Result<bool, ServiceError> {
    for filter in filters {
        let values = match (filter.name.strip_prefix("tag:"), filter.name.as_str()) {
            (Some(key), _) => tags.iter().filter(|(k, _)| k == key).map(|(_, v)| v.clone()).collect(),
            (None, "tag-key") => tags.iter().map(|(k, _)| k.clone()).collect(),
            (None, name) => {
                look(name).ok_or_else(|| fault("InvalidParameterValue", format!("The filter '{name}' is invalid")))?
            }
        };
        if !filter.values.iter().any(|pattern| values.iter().any(|value| matches(pattern, value))) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// EC2's wildcards: `*` any text, `?` any character.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // One row of the usual table: which beginnings of the text the pattern so far matches.
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for p in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match p {
                '*' => row[at] || (at > 0 && next[at - 1]),
                '?' => at > 0 && row[at - 1],
                other => at > 0 && row[at - 1] && text[at - 1] == other,
            };
        }
        row = next;
    }
    row[text.len()]
}

/// Refuses a dry run in EC2's words: all calls of the sandbox are allowed.
pub(super) fn dry_run(form: &mut Form) -> Result<(), ServiceError> {
    match form.flag("DryRun")? {
        Some(true) => {
            let text = "Request would have succeeded, but DryRun flag is set.";
            Err(ServiceError::new(412, "DryRunOperation", text))
        }
        Some(false) | None => Ok(()),
    }
}

/// Which part of a listing is asked for.
pub(super) struct Page {
    start: usize,
    size: usize,
}

impl Page {
    /// `MaxResults` and `NextToken` of a call.
    pub fn take(form: &mut Form) -> Result<Page, ServiceError> {
        let size = form.number("MaxResults")?.map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(1).max(1));
        let start = match form.take("NextToken") {
            None => 0,
            Some(token) => token
                .strip_prefix("from-")
                .and_then(|start| start.parse().ok())
                .ok_or_else(|| fault("InvalidParameterValue", format!("Invalid value '{token}' for NextToken")))?,
        };
        Ok(Page { start, size })
    }

    /// The items of this page, and the token of the next one.
    pub fn cut<T>(&self, items: Vec<T>) -> (Vec<T>, Option<String>) {
        let end = self.start.saturating_add(self.size);
        let next = (end < items.len()).then(|| format!("from-{end}"));
        (items.into_iter().skip(self.start).take(self.size).collect(), next)
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards() {
        for (pattern, text, same) in
            [("*", "", true), ("a*c", "abbc", true), ("a?c", "abbc", false), ("sg-*", "sg-0", true), ("x", "xy", false)]
        {
            assert_eq!(matches(pattern, text), same, "{pattern} {text}");
        }
    }
}
