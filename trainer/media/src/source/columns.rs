//! Which columns of a table hold media, and what is in a cell. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dfr_contract::modality::Modality;
use parquet::basic::{ConvertedType, Type as Physical};
use parquet::schema::types::SchemaDescriptor;

/// A column to read media from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaColumn {
    /// Name at the top level.
    pub name: String,
    /// Its leaf that holds bytes.
    pub leaf: usize,
}

/// Words that a part of a cell with media in it is called by.
const PARTS: [&str; 7] = ["bytes", "image", "video", "audio", "array", "data", "content"];

/// The columns that are named, else those that look like media of this modality.
///
/// # Errors
/// Says what was looked for and what there is.
///
/// # Source
/// gasbench's rules; beyond them a column that holds text is taken only where no other is.
pub fn media_columns(
    schema: &SchemaDescriptor,
    modality: Modality,
    named: &[String],
) -> Result<Vec<MediaColumn>, String> {
    let all: Vec<&str> = schema.root_schema().get_fields().iter().map(|f| f.name()).collect();
    if let Some(missing) = named.iter().find(|name| !all.contains(&name.as_str())) {
        return Err(format!("it has no column {missing}; there are {}", all.join(", ")));
    }
    let candidates = if named.is_empty() {
        by_name(&all, modality)
    } else {
        named.iter().map(String::as_str).collect()
    };
    let found = |names: &[&str]| -> Vec<MediaColumn> {
        names.iter().filter_map(|name| column(schema, name)).collect()
    };
    let mut columns = found(&candidates);
    if named.is_empty() {
        if columns.iter().any(|column| !is_text(schema, column)) {
            columns.retain(|column| !is_text(schema, column));
        }
        if columns.is_empty() {
            columns = found(&all);
            columns.retain(|column| !is_text(schema, column));
        }
    }
    if columns.is_empty() {
        return Err(format!("it has no column of {modality} bytes; there are {}", all.join(", ")));
    }
    Ok(columns)
}

/// Names of columns that tell what several rows were made from, the most telling first.
const MADE_FROM: [&str; 10] = [
    "recording_id",
    "source_id",
    "video_id",
    "youtube_id",
    "speaker_id",
    "speaker",
    "client_id",
    "prompt_id",
    "prompt",
    "original_prompt",
];

/// The column that tells what a row was made from, where there is one.
pub fn made_from(schema: &SchemaDescriptor) -> Option<MediaColumn> {
    let find = |name: &&str| {
        let is_it = |leaf: &usize| {
            let column = schema.column(*leaf);
            let parts = column.path().parts();
            parts.len() == 1 && parts[0].eq_ignore_ascii_case(name)
        };
        let leaf = (0..schema.num_columns()).find(is_it)?;
        Some(MediaColumn { name: (*name).to_owned(), leaf })
    };
    MADE_FROM.iter().find_map(find)
}

fn by_name<'a>(all: &[&'a str], modality: Modality) -> Vec<&'a str> {
    let holds = |name: &str, words: &[&str]| {
        let name = name.to_lowercase();
        words.iter().any(|word| name.contains(word))
    };
    let is = |words: &[&str]| -> Vec<&'a str> {
        all.iter().copied().filter(|n| words.contains(&n.to_lowercase().as_str())).take(1).collect()
    };
    let has = |words: &[&str], but: &[&str]| -> Vec<&'a str> {
        all.iter().copied().filter(|name| holds(name, words) && !holds(name, but)).collect()
    };
    let first = |mut names: Vec<&'a str>| {
        names.truncate(1);
        names
    };
    let rules = match modality {
        Modality::Image => {
            [is(&["image"]), first(has(&["image"], &["_id"])), first(has(&["image"], &[]))]
        }
        Modality::Video => {
            let words = ["video", "bytes", "content", "data"];
            [is(&words), first(has(&words, &["_id"])), Vec::new()]
        }
        Modality::Audio => {
            let words = ["audio", "bytes", "content", "data", "wav", "mp3"];
            [is(&["audio"]), has(&words, &["_id"]), Vec::new()]
        }
    };
    rules.into_iter().find(|names| !names.is_empty()).unwrap_or_default()
}

/// The leaf of a column that holds bytes: its own, or that part of it which is called so.
fn column(schema: &SchemaDescriptor, name: &str) -> Option<MediaColumn> {
    let leaves = || {
        (0..schema.num_columns()).filter(|leaf| {
            let column = schema.column(*leaf);
            column.physical_type() == Physical::BYTE_ARRAY && column.path().parts()[0] == name
        })
    };
    let parts = |leaf: usize| schema.column(leaf).path().parts().len();
    let is_called = |leaf: &usize, word: &str| {
        let column = schema.column(*leaf);
        column.path().parts().last().is_some_and(|last| last.to_lowercase().contains(word))
    };
    let whole = leaves().find(|leaf| parts(*leaf) == 1);
    let part = || PARTS.iter().find_map(|word| leaves().find(|leaf| is_called(leaf, word)));
    whole.or_else(part).map(|leaf| MediaColumn { name: name.to_owned(), leaf })
}

fn is_text(schema: &SchemaDescriptor, column: &MediaColumn) -> bool {
    schema.column(column.leaf).converted_type() == ConvertedType::UTF8
}

/// The file in a cell: its bytes, or what they are the base64 of.
pub fn media(cell: &[u8]) -> Vec<u8> {
    if infer::get(cell).is_some() || !cell.is_ascii() {
        return cell.to_vec();
    }
    let after_header = cell.starts_with(b"data:").then(|| {
        let comma = cell.iter().position(|byte| *byte == b',');
        comma.map_or(cell, |comma| &cell[comma + 1..])
    });
    STANDARD.decode(after_header.unwrap_or(cell)).unwrap_or_else(|_| cell.to_vec())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::schema::parser::parse_message_type;

    use super::*;

    fn columns(fields: &str, modality: Modality, named: &[&str]) -> Result<Vec<String>, String> {
        let schema = parse_message_type(&format!("message m {{ {fields} }}")).unwrap();
        let schema = SchemaDescriptor::new(Arc::new(schema));
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        let found = media_columns(&schema, modality, &named)?;
        let path = |column: &MediaColumn| schema.column(column.leaf).path().string();
        Ok(found.iter().map(path).collect())
    }

    const FEATURE: &str = "{ optional binary bytes; optional binary path (UTF8); }";

    #[test]
    fn a_column_is_found_by_its_name_and_its_bytes_by_theirs() {
        let image = format!("required int64 image_id; optional group image {FEATURE}");
        assert_eq!(columns(&image, Modality::Image, &[]).unwrap(), ["image.bytes"]);
        let other = format!("optional binary image_id (UTF8); optional group my_Image {FEATURE}");
        assert_eq!(columns(&other, Modality::Image, &[]).unwrap(), ["my_Image.bytes"]);
        let video = "optional binary metadata (UTF8); required binary content;";
        assert_eq!(columns(video, Modality::Video, &[]).unwrap(), ["content"]);
        let audio =
            "optional binary metadata (UTF8); required binary wav; required binary mp3_data;";
        assert_eq!(columns(audio, Modality::Audio, &[]).unwrap(), ["wav", "mp3_data"]);
        let unnamed = format!("optional binary text (UTF8); optional group jpg {FEATURE}");
        assert_eq!(columns(&unnamed, Modality::Image, &[]).unwrap(), ["jpg.bytes"]);
    }

    #[test]
    fn named_columns_are_taken_and_a_missing_one_is_said() {
        let two = format!("optional group src_img {FEATURE} optional group tgt_img {FEATURE}");
        let both = ["tgt_img", "src_img"];
        assert_eq!(
            columns(&two, Modality::Image, &both).unwrap(),
            ["tgt_img.bytes", "src_img.bytes"]
        );
        let error = columns(&two, Modality::Image, &["kore"]).unwrap_err();
        assert!(error.contains("no column kore; there are src_img, tgt_img"), "{error}");
        let error = columns("required int64 label;", Modality::Image, &[]).unwrap_err();
        assert!(error.contains("no column of image bytes; there are label"), "{error}");
    }

    #[test]
    fn a_cell_may_be_text_of_bytes() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        let text = STANDARD.encode(png);
        assert_eq!(media(png), png);
        assert_eq!(media(text.as_bytes()), png);
        assert_eq!(media(format!("data:image/png;base64,{text}").as_bytes()), png);
        assert_eq!(media(b"no base64!"), b"no base64!");
    }
}
