//! The prices: one table, each with who says so and as of when, and a file that overrides them.
//!
//! They are those of one Region. No source that could be read has multipliers for the others, so there are none here:
//! a file says what another Region charges.

use std::collections::BTreeMap;

use miette::NamedSource;
use serde::Deserialize;
use serde_saphyr::Spanned;

use pullthru_core::config::{ConfigError, ConfigErrors};
use pullthru_core::route::Region;

/// What is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// A GB in standard storage, for a month.
    Storage,
    /// A GB from the upstream.
    Import,
    /// A GB through a NAT gateway.
    Nat,
    /// An image.
    BasicScan,
    /// An image, for the first time.
    EnhancedScan,
    /// An image, once more.
    EnhancedRescan,
    /// A secret for a month.
    Secret,
    /// A GB to another Region.
    ReplicationTransfer,
    /// An endpoint in one zone, for an hour.
    EndpointHour,
    /// A GB through the S3 gateway endpoint.
    GatewayEndpoint,
}

/// Where a price comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who says so: an address, or the name of the user's file.
    pub source: String,
    /// As of when: `2026-03` or `2026-11-20`. `None` for a file that does not say.
    pub date: Option<String>,
    /// What to know; may be empty.
    pub note: &'static str,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    pub item: Item,
    /// US dollars, for one of [`Item::unit`].
    pub usd: f64,
    /// Where AWS asks it.
    pub region: String,
    pub origin: Origin,
    /// In place of the table's, by the user's file.
    pub own: bool,
}

/// All of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// Bytes that are paid for as one GB.
    pub bytes_per_gb: u64,
    table: Vec<Price>,
}

/// AWS counts 2^30 bytes as a GB where it says so (S3 FAQ, "How will I be charged and billed for my use of Amazon S3?":
/// 107,374,182,400 bytes are 100 GB). The pages on ECR do not say it; 10^9 would make every GB 7.4 % dearer.
const BYTES_PER_GB: u64 = 1 << 30;

const REGION: &str = "us-east-1";

/// As read in March 2026, and said there to be from the pricing page of ECR.
const CLOUDBURN: (&str, &str) = ("https://cloudburn.io/blog/amazon-ecr-pricing", "2026-03");
const UNCHECKED: &str = "AWS's list price, as commonly quoted; the page itself was not read";

/// Item, US dollars, source, date, what to know.
const TABLE: [(Item, f64, &str, &str, &str); 10] = [
    (
        Item::Storage,
        0.10,
        CLOUDBURN.0,
        CLOUDBURN.1,
        "of compressed layers, each once a repository (handbook.vantage.sh/aws/services/ecr-pricing)",
    ),
    (Item::Import, 0.0, "https://aws.amazon.com/ecr/pricing/", "2026-11-20", UNCHECKED),
    (Item::Nat, 0.045, CLOUDBURN.0, CLOUDBURN.1, "without the hours of the gateway, which is there anyway"),
    (Item::BasicScan, 0.0, CLOUDBURN.0, CLOUDBURN.1, ""),
    (
        Item::EnhancedScan,
        0.09,
        CLOUDBURN.0,
        CLOUDBURN.1,
        "Amazon Inspector; factualminds.com (2026-06) has the same",
    ),
    (Item::EnhancedRescan, 0.01, CLOUDBURN.0, CLOUDBURN.1, "Amazon Inspector"),
    (Item::Secret, 0.40, "https://aws.amazon.com/secrets-manager/pricing/", "2026-11-20", UNCHECKED),
    (
        Item::ReplicationTransfer,
        0.02,
        "https://www.wring.co/blog/aws-ecr-pricing-guide",
        "2026-03-15",
        "depends on the pair of Regions: 0.01 to 0.02 there, and cloudburn.io (2026-03) has 0.09",
    ),
    (
        Item::EndpointHour,
        0.01,
        "https://awsnegotiations.com/privatelink-cost-analysis.html",
        "2026-05",
        "an endpoint in one zone",
    ),
    (Item::GatewayEndpoint, 0.0, "https://awsnegotiations.com/privatelink-cost-analysis.html", "2026-05", ""),
];

impl Item {
    /// As the price file and JSON write it.
    pub fn id(self) -> &'static str {
        match self {
            Item::Storage => "storage",
            Item::Import => "import",
            Item::Nat => "nat",
            Item::BasicScan => "basic-scan",
            Item::EnhancedScan => "enhanced-scan",
            Item::EnhancedRescan => "enhanced-rescan",
            Item::Secret => "secret",
            Item::ReplicationTransfer => "replication-transfer",
            Item::EndpointHour => "endpoint-hour",
            Item::GatewayEndpoint => "gateway-endpoint",
        }
    }

    /// What it is the price of.
    pub fn name(self) -> &'static str {
        match self {
            Item::Storage => "storage (standard)",
            Item::Import => "import from the upstream",
            Item::Nat => "NAT gateway, processing",
            Item::BasicScan => "basic scan",
            Item::EnhancedScan => "enhanced scan, first",
            Item::EnhancedRescan => "enhanced scan, again",
            Item::Secret => "secret",
            Item::ReplicationTransfer => "transfer to another Region",
            Item::EndpointHour => "interface endpoint",
            Item::GatewayEndpoint => "S3 gateway endpoint",
        }
    }

    pub fn unit(self) -> &'static str {
        match self {
            Item::Storage => "GB-month",
            Item::Import | Item::Nat | Item::ReplicationTransfer | Item::GatewayEndpoint => "GB",
            Item::BasicScan | Item::EnhancedScan | Item::EnhancedRescan => "image",
            Item::Secret => "month",
            Item::EndpointHour => "hour",
        }
    }
}

impl Default for Prices {
    fn default() -> Prices {
        let line = |(item, usd, source, date, note): (Item, f64, &str, &str, &'static str)| Price {
            item,
            usd,
            region: REGION.to_owned(),
            origin: Origin { source: source.to_owned(), date: Some(date.to_owned()), note },
            own: false,
        };
        let table = TABLE.into_iter().map(line).collect();
        Prices { bytes_per_gb: BYTES_PER_GB, table }
    }
}

impl Prices {
    /// US dollars for one unit.
    pub fn of(&self, item: Item) -> f64 {
        self.table.iter().find(|price| price.item == item).map_or(0.0, |price| price.usd)
    }

    /// All of them, in the order of the table.
    pub fn table(&self) -> &[Price] {
        &self.table
    }

    /// Bytes as GB, the way that they are paid for.
    pub fn gb(&self, bytes: u64) -> f64 {
        bytes as f64 / self.bytes_per_gb as f64
    }

    /// The table with those of a file over it. `name` is the file's, for messages.
    ///
    /// # Errors
    /// [`ConfigErrors`], with the place in the file.
    pub fn with_file(self, name: &str, text: &str) -> Result<Prices, ConfigErrors> {
        let source = NamedSource::new(name, text.to_owned()).with_language("yaml");
        let file: PriceFile = serde_saphyr::from_str(text).map_err(|error| ConfigErrors {
            errors: vec![ConfigError::unreadable(Some(&source), &error, text)],
        })?;
        let wrong = |at: &serde_saphyr::Location, message: String, help: &str| {
            let span = at.span();
            let start = span.byte_offset().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
            let len = span.byte_len().and_then(|len| usize::try_from(len).ok()).unwrap_or(1).max(1);
            ConfigError {
                message,
                help: Some(help.to_owned()).filter(|help| !help.is_empty()),
                source_code: Some(source.clone()),
                place: Some((start.min(text.len()), len).into()),
            }
        };
        let mut errors = Vec::new();
        let mut prices = self;
        match &file.bytes_per_gb {
            Some(gb) if gb.value == 0 => {
                errors.push(wrong(
                    &gb.referenced,
                    "a GB of no bytes".to_owned(),
                    "write 1073741824 or 1000000000",
                ));
            }
            Some(gb) => prices.bytes_per_gb = gb.value,
            None => {}
        }
        if let Some(region) = &file.region
            && let Err(error) = region.value.parse::<Region>()
        {
            errors.push(wrong(&region.referenced, error.to_string(), ""));
        }
        for price in &mut prices.table {
            let Some(own) = file.prices.get(&price.item) else { continue };
            if !own.value.is_finite() || own.value < 0.0 {
                let message = format!("`{}` is no price", own.value);
                errors.push(wrong(&own.referenced, message, "write US dollars, such as 0.10"));
            }
            let region = file.region.as_ref().map_or(REGION, |region| &region.value);
            let source = file.origin.clone().unwrap_or_else(|| name.to_owned());
            *price = Price {
                item: price.item,
                usd: own.value,
                region: region.to_owned(),
                origin: Origin { source, date: file.date.clone(), note: "" },
                own: true,
            };
        }
        if errors.is_empty() { Ok(prices) } else { Err(ConfigErrors { errors }) }
    }
}

/// What `--prices` reads: prices of a Region, instead of those in the table.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", schemars(title = "prices for `pullthru cost`"))]
pub struct PriceFile {
    /// Whose prices these are. Default: us-east-1, as the table.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    region: Option<Spanned<String>>,
    /// When they were read, such as `2026-11-20`.
    #[serde(default)]
    date: Option<String>,
    /// Where they were read.
    #[serde(default)]
    origin: Option<String>,
    /// Bytes that are paid for as one GB. Default: 1073741824.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    bytes_per_gb: Option<Spanned<u64>>,
    /// US dollars by item; what is left out stays as in the table.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<Item, f64>"))]
    prices: BTreeMap<Item, Spanned<f64>>,
}
