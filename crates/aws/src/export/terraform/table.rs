//! One resource for all of a kind: what they are called and what they have is a table in `locals`, and the resource goes through it by
//! `for_each`, so that one more is one more entry.

use std::collections::BTreeSet;

use crate::export::hcl::{Expr, Item, quoted};

/// One column of an entry.
pub(super) struct Cell {
    pub(super) column: &'static str,
    /// `None` where the entry has nothing there.
    pub(super) value: Option<Expr>,
    /// What stands there then.
    pub(super) otherwise: &'static str,
}

impl Cell {
    /// `null` where there is none.
    pub(super) fn optional(column: &'static str, value: Option<Expr>) -> Cell {
        Cell { column, value, otherwise: "null" }
    }

    pub(super) fn of(column: &'static str, value: Expr) -> Cell {
        Cell::optional(column, Some(value))
    }

    /// For a block, which is there as often as the list is long.
    pub(super) fn list(column: &'static str, values: Vec<Expr>) -> Cell {
        let value = (!values.is_empty()).then_some(Expr::List(values));
        Cell { column, value, otherwise: "[]" }
    }
}

/// Entries by name. A column that no entry fills is left out, and so is the argument that reads it: the module takes the lowest
/// provider that has what is used.
pub(super) struct Table {
    name: &'static str,
    entries: Vec<(String, Vec<Cell>)>,
    columns: BTreeSet<&'static str>,
}

impl Table {
    pub(super) fn new(name: &'static str, entries: Vec<(String, Vec<Cell>)>) -> Table {
        let filled = entries.iter().flat_map(|(_, cells)| cells).filter(|cell| cell.value.is_some());
        let columns = filled.map(|cell| cell.column).collect();
        Table { name, entries, columns }
    }

    /// `local.<name>`.
    pub(super) fn local(&self) -> Item {
        let entry = |(name, cells): &(String, Vec<Cell>)| {
            let kept = cells.iter().filter(|cell| self.columns.contains(cell.column));
            let value = |cell: &Cell| cell.value.clone().unwrap_or_else(|| Expr::raw(cell.otherwise));
            (name.clone(), Expr::Object(kept.map(|cell| (cell.column.to_owned(), value(cell))).collect()))
        };
        Item::attribute(self.name, Expr::Object(self.entries.iter().map(entry).collect()))
    }

    pub(super) fn for_each(&self) -> [Item; 2] {
        [Item::attribute("for_each", Expr::raw(format!("local.{}", self.name))), Item::Blank]
    }

    /// The argument that is a column of the same name, where there is one.
    pub(super) fn argument(&self, column: &'static str) -> Option<Item> {
        self.columns
            .contains(column)
            .then(|| Item::attribute(column, Expr::raw(format!("each.value.{column}"))))
    }

    /// A block for each element of a list.
    pub(super) fn blocks(&self, column: &'static str, kind: &str, content: Vec<Item>) -> Option<Item> {
        self.columns.contains(column).then(|| {
            Item::block(
                "dynamic",
                &[kind],
                vec![
                    Item::attribute("for_each", Expr::raw(format!("each.value.{column}"))),
                    Item::block("content", &[], content),
                ],
            )
        })
    }
}

/// One of the resources that a table makes.
pub(super) fn instance(kind: &str, name: &str) -> String {
    format!("{kind}.this[{}]", quoted(name))
}
