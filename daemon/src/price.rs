//! What tokens cost, from the price table of `dfr.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::experiment::Usage;

/// Prices by the name of the model, as `--model` gives it: `[prices."gpt-x"]`.
pub type Prices = BTreeMap<String, Price>;

/// Dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Written")]
pub struct Price {
    prompt_usd_per_mtok: f64,
    completion_usd_per_mtok: f64,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    prompt_usd_per_mtok: f64,
    completion_usd_per_mtok: f64,
}

/// Why there are no dollars.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PriceError {
    /// The table does not have the model.
    #[error(
        "what {model} costs is not known: dfr.toml needs [prices.{model:?}] with \
         prompt_usd_per_mtok and completion_usd_per_mtok"
    )]
    Unknown {
        /// The model.
        model: String,
    },
    /// A price that is none.
    #[error("a price is a finite number of dollars, 0 or more; found {0}")]
    Bad(f64),
}

impl TryFrom<Written> for Price {
    type Error = PriceError;

    fn try_from(written: Written) -> Result<Self, PriceError> {
        let Written { prompt_usd_per_mtok, completion_usd_per_mtok } = written;
        let is_bad = |price: &f64| !price.is_finite() || *price < 0.0;
        match [prompt_usd_per_mtok, completion_usd_per_mtok].into_iter().find(is_bad) {
            Some(bad) => Err(PriceError::Bad(bad)),
            None => Ok(Self { prompt_usd_per_mtok, completion_usd_per_mtok }),
        }
    }
}

impl Price {
    /// What this many tokens cost, in dollars.
    pub fn cost_usd(&self, usage: Usage) -> f64 {
        let million = |tokens: u64| tokens as f64 / 1e6;
        self.prompt_usd_per_mtok * million(usage.prompt_tokens)
            + self.completion_usd_per_mtok * million(usage.completion_tokens)
    }
}

/// The price of a model. Looked up at the start wherever dollars are capped.
///
/// # Errors
/// A model that the table does not have; the message names the missing key.
pub fn price(prices: &Prices, model: &str) -> Result<Price, PriceError> {
    prices.get(model).copied().ok_or_else(|| PriceError::Unknown { model: model.to_owned() })
}

/// What this many tokens of a model cost, in dollars; `None` for a model without a price.
pub fn cost_usd(prices: &Prices, model: &str, usage: Usage) -> Option<f64> {
    prices.get(model).map(|price| price.cost_usd(usage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        prices: Prices,
    }

    fn read(text: &str) -> Result<Prices, String> {
        toml::from_str::<File>(text).map(|file| file.prices).map_err(|error| error.to_string())
    }

    const TABLE: &str = r#"
        [prices."vendor/model-1.5"]
        prompt_usd_per_mtok = 2.5
        completion_usd_per_mtok = 10
    "#;

    #[test]
    fn tokens_become_dollars() {
        let prices = read(TABLE).unwrap();
        let usage = Usage { prompt_tokens: 400_000, completion_tokens: 50_000 };
        assert_eq!(cost_usd(&prices, "vendor/model-1.5", usage), Some(1.5));
        assert_eq!(cost_usd(&prices, "vendor/model-1.5", Usage::default()), Some(0.0));
        assert_eq!(cost_usd(&prices, "model", usage), None);
    }

    #[test]
    fn a_missing_price_names_its_key() {
        let message = price(&read(TABLE).unwrap(), "vendor/other").unwrap_err().to_string();
        assert!(message.contains(r#"prices."vendor/other""#), "{message}");
    }

    #[test]
    fn a_table_that_is_not_understood_is_refused() {
        for (wrong, word) in [
            ("completion_usd_per_mtok = -1", "0 or more"),
            ("completion_usd_per_mtok = nan", "finite"),
            ("completion_usd_per_mtok = inf", "finite"),
            ("completion_usd = 10", "unknown field"),
            ("", "missing field"),
        ] {
            let message = read(&TABLE.replace("completion_usd_per_mtok = 10", wrong)).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
    }
}
