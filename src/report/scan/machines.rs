//! The inventory for programs.

use std::io::{self, Write};

use super::ScanReport;
use crate::find::Object;
use crate::report::csv_field;

/// RFC 4180, one row a site.
pub fn csv(report: &ScanReport, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "path,line,column,form,role,object,field,reference,cached,skipped\r\n")?;
    for row in &report.sites {
        let object = row.object.as_ref().map(Object::to_string).unwrap_or_default();
        let fields = [
            row.path.as_str(),
            &row.line.to_string(),
            &row.column.to_string(),
            row.form.id(),
            &row.role,
            &object,
            &row.field,
            &row.reference,
            row.cached.as_deref().unwrap_or_default(),
            row.skipped.as_deref().unwrap_or_default(),
        ];
        write!(out, "{}\r\n", fields.map(csv_field).join(","))?;
    }
    Ok(())
}

/// One JSON document, indented.
pub fn json(report: &ScanReport, out: &mut dyn Write) -> io::Result<()> {
    // Written to memory first: a writer that is asked for every bracket costs more than the text.
    let mut text = serde_json::to_vec_pretty(report)?;
    text.push(b'\n');
    out.write_all(&text)
}

/// One JSON object a line, a line a site.
pub fn jsonl(report: &ScanReport, out: &mut dyn Write) -> io::Result<()> {
    for row in &report.sites {
        crate::report::write_json_line(row, out)?;
    }
    Ok(())
}
