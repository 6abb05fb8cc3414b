//! The prices that `pullthru cost` reckons with, in all formats.

use std::io::{self, Write};

use serde::Serialize;

use super::finding::cell;
use super::{Paint, csv_field, table};
use crate::cost::Prices;

/// `pullthru/price-table/v1`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PriceTable {
    /// Always `pullthru/price-table/v1`.
    pub schema: &'static str,
    /// Always `USD`.
    pub currency: &'static str,
    /// Bytes that are paid for as one GB.
    pub bytes_per_gb: u64,
    pub prices: Vec<PriceRow>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PriceRow {
    /// Its key in a file for `--prices`.
    pub item: &'static str,
    pub name: &'static str,
    pub usd: f64,
    pub unit: &'static str,
    /// Where AWS asks it.
    pub region: String,
    /// Who says so.
    pub origin: String,
    /// As of when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub note: &'static str,
    /// From the file of `--prices`.
    pub own: bool,
}

impl PriceTable {
    pub(super) fn new(prices: &Prices) -> PriceTable {
        let rows = prices.table().iter().map(|price| PriceRow {
            item: price.item.id(),
            name: price.item.name(),
            usd: price.usd,
            unit: price.item.unit(),
            region: price.region.clone(),
            origin: price.origin.source.clone(),
            date: price.origin.date.clone(),
            note: price.origin.note,
            own: price.own,
        });
        PriceTable {
            schema: "pullthru/price-table/v1",
            currency: "USD",
            bytes_per_gb: prices.bytes_per_gb,
            prices: rows.collect(),
        }
    }
}

/// A price as it is listed: `$0.045`.
pub(super) fn unit_usd(value: f64) -> String {
    let text = format!("{value:.2}");
    if text.parse() == Ok(value) { format!("${text}") } else { format!("${value}") }
}

pub fn human(prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    let prices = PriceTable::new(prices);
    let mut rows = vec![["item", "price", "of", "in", "as of", "where"].map(str::to_owned).into()];
    rows.extend(prices.prices.iter().map(|row| {
        let date = row.date.clone().unwrap_or_default();
        vec![
            row.item.to_owned(),
            format!("{}/{}", unit_usd(row.usd), row.unit),
            row.name.to_owned(),
            row.region.clone(),
            date,
            row.origin.clone(),
        ]
    }));
    table(&rows, 6, out, Paint::for_stdout())?;
    for row in prices.prices.iter().filter(|row| !row.note.is_empty()) {
        writeln!(out, "{}: {}", row.item, row.note)?;
    }
    writeln!(out, "in US dollars; a GB is {} bytes", prices.bytes_per_gb)
}

pub fn json(prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json(&PriceTable::new(prices), out)
}

pub fn csv(prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "item,usd,unit,region,date,origin,note")?;
    let table = PriceTable::new(prices);
    for PriceRow { item, usd, unit, region, origin, date, note, .. } in &table.prices {
        let (date, origin, note) = (date.as_deref().unwrap_or_default(), csv_field(origin), csv_field(note));
        writeln!(out, "{item},{usd},{unit},{region},{},{origin},{note}", csv_field(date))?;
    }
    Ok(())
}

pub fn markdown(prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    let table = PriceTable::new(prices);
    writeln!(out, "In US dollars; a GB is {} bytes.\n", table.bytes_per_gb)?;
    writeln!(out, "| item | price | in | as of | where | |\n|---|---:|---|---|---|---|")?;
    for row in &table.prices {
        let date = row.date.as_deref().unwrap_or_default();
        let price = format!("{}/{}", unit_usd(row.usd), row.unit);
        writeln!(
            out,
            "| {} | {price} | {} | {} | {} | {} |",
            row.name,
            row.region,
            cell(date),
            cell(&row.origin),
            row.note
        )?;
    }
    Ok(())
}
