//! Images and documents that go with a prompt: what a file is, and its block in each dialect.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Dialect;

/// A kind of file that models read beside text; the ones that all vendors take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// A PNG image.
    Png,
    /// A JPEG image.
    Jpeg,
    /// A GIF image.
    Gif,
    /// A WebP image.
    Webp,
    /// A PDF document.
    Pdf,
}

impl Media {
    /// What a file is by the bytes that each format prescribes at its beginning.
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Self::Png),
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [b'%', b'P', b'D', b'F', b'-', ..] => Some(Self::Pdf),
            _ => None,
        }
    }

    /// What a file is by the ending of its name.
    pub fn of_name(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "gif" => Some(Self::Gif),
            "webp" => Some(Self::Webp),
            "pdf" => Some(Self::Pdf),
            _ => None,
        }
    }

    /// The media type on the wire.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
        }
    }
}

/// A file that goes with a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    media: Media,
    /// The file's name without its folder, which some vendors show to the model.
    name: String,
    /// The file in base64, made once because a body may be encoded several times.
    data: String,
}

impl Attachment {
    /// An attachment of these bytes.
    pub fn new(media: Media, name: impl Into<String>, bytes: &[u8]) -> Self {
        Self { media, name: name.into(), data: STANDARD.encode(bytes) }
    }

    /// The content block of a dialect, as the vendors document it; `None` where a dialect has no blocks.
    pub(super) fn block(&self, dialect: Dialect) -> Option<Value> {
        let media_type = self.media.media_type();
        let url = || format!("data:{media_type};base64,{}", self.data);
        match (dialect, self.media) {
            (Dialect::Messages, media) => {
                let kind = if media == Media::Pdf { "document" } else { "image" };
                let source = json!({ "type": "base64", "media_type": media_type, "data": self.data });
                Some(json!({ "type": kind, "source": source }))
            }
            (Dialect::Chat, Media::Pdf) => {
                Some(json!({ "type": "file", "file": { "filename": self.name, "file_data": url() } }))
            }
            (Dialect::Chat, _) => Some(json!({ "type": "image_url", "image_url": { "url": url() } })),
            (Dialect::Responses, Media::Pdf) => {
                Some(json!({ "type": "input_file", "filename": self.name, "file_data": url() }))
            }
            (Dialect::Responses, _) => Some(json!({ "type": "input_image", "image_url": url() })),
            (Dialect::Complete | Dialect::Raw, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        for (bytes, media) in [
            (&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], Some(Media::Png)),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Some(Media::Jpeg)),
            (b"GIF89a\x01\0", Some(Media::Gif)),
            (b"GIF87a\x01\0", Some(Media::Gif)),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some(Media::Webp)),
            (b"%PDF-1.7\n", Some(Media::Pdf)),
            (b"RIFF\x24\0\0\0WAVEfmt ", None),
            (b"GIF is a format", None),
            (b"\x89PN", None),
            (b"", None),
        ] {
            assert_eq!(Media::of_bytes(bytes), media, "{bytes:?}");
        }
    }

    #[test]
    fn a_file_is_known_by_its_name_whatever_its_case() {
        assert_eq!(Media::of_name("a.b.JPG"), Some(Media::Jpeg));
        assert_eq!(Media::of_name("report.pdf"), Some(Media::Pdf));
        assert_eq!(Media::of_name("png"), None);
        assert_eq!(Media::of_name("a.tiff"), None);
    }

    #[test]
    fn blocks_are_the_vendors() {
        let image = Attachment::new(Media::Png, "a.png", b"Hi!");
        let pdf = Attachment::new(Media::Pdf, "b.pdf", b"Hi!");
        let block = |attachment: &Attachment, dialect| attachment.block(dialect).unwrap();
        assert_eq!(
            block(&image, Dialect::Messages),
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "SGkh"}})
        );
        assert_eq!(
            block(&pdf, Dialect::Messages),
            json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "SGkh"}})
        );
        assert_eq!(
            block(&image, Dialect::Chat),
            json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,SGkh"}})
        );
        assert_eq!(
            block(&pdf, Dialect::Chat),
            json!({"type": "file", "file": {"filename": "b.pdf", "file_data": "data:application/pdf;base64,SGkh"}})
        );
        assert_eq!(
            block(&image, Dialect::Responses),
            json!({"type": "input_image", "image_url": "data:image/png;base64,SGkh"})
        );
        assert_eq!(
            block(&pdf, Dialect::Responses),
            json!({"type": "input_file", "filename": "b.pdf", "file_data": "data:application/pdf;base64,SGkh"})
        );
        assert_eq!(image.block(Dialect::Complete).or(pdf.block(Dialect::Raw)), None);
    }
}
