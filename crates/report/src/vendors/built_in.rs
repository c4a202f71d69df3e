//! The built-in catalogue: `built_in.csv`, in which a name with a trailing `*` is a prefix.

use super::names::{Category, Entry, Names};

pub(super) fn read() -> Names {
    let mut names = Names::default();
    for row in csv::Reader::from_reader(TABLE.as_bytes()).deserialize() {
        let row: Row = row.expect("a test reads every row of the table");
        for name in row.names.split(' ') {
            let entry = Entry {
                platform: row.platform.clone(),
                category: Category::read(&row.category),
                en: row.en.clone(),
                de: Some(row.de.clone()),
            };
            match name.strip_suffix('*') {
                Some(prefix) => names.prefixes.insert(prefix.to_owned(), entry),
                None => names.exact.insert(name.to_owned(), entry),
            };
        }
    }
    names
}

const TABLE: &str = include_str!("built_in.csv");

#[derive(serde::Deserialize)]
struct Row {
    names: String,
    platform: String,
    category: String,
    en: String,
    de: String,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crumbgate_audit::{NameBuffer, name_template};

    #[test]
    fn every_row_of_the_table_is_complete_and_every_name_is_unique() {
        let mut names = HashSet::new();
        for row in csv::Reader::from_reader(TABLE.as_bytes()).deserialize::<Row>() {
            let row = row.unwrap();
            assert!(!row.platform.is_empty());
            assert!(Category::read(&row.category) != Category::Other, "{}", row.category);
            assert!(row.en.ends_with('.') && row.de.ends_with('.') && row.en != row.de);
            for name in row.names.split(' ') {
                assert!(names.insert(name.to_owned()), "{name} is there twice");
            }
        }
    }

    #[test]
    fn every_exact_name_is_its_own_template() {
        for name in read().exact.keys() {
            let mut buffer = NameBuffer::default();
            assert_eq!(name_template(name.as_bytes(), &mut buffer), name);
        }
    }
}
