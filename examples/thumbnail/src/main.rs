//! Makes a thumbnail: a PNG or JPEG goes in as base64, a PNG that fits into `width` × `height` comes out as base64.

use std::io::Cursor;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader};
use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde::{Deserialize, Serialize};

/// The longest side that a thumbnail may have, in pixels.
const SIDE_MAX: u32 = 1024;
/// How much a picture may unfold to: a few kilobytes of PNG can claim gigabytes of pixels.
const UNFOLDED_BYTES_MAX: u64 = 128 * 1024 * 1024;

#[derive(Deserialize)]
struct Request {
    image: String,
    width: u32,
    height: u32,
}

#[derive(Debug, Serialize)]
struct Response {
    width: u32,
    height: u32,
    image: String,
}

/// What is wrong with a request; its name is the caller's `errorType`.
#[derive(Debug)]
enum BadRequest {
    BadSize,
    NotBase64(base64::DecodeError),
    NotAPicture(image::ImageError),
    TooLarge,
}

impl From<BadRequest> for Diagnostic {
    fn from(bad: BadRequest) -> Self {
        let (error_type, error_message) = match bad {
            BadRequest::BadSize => ("BadSize", format!("width and height must be from 1 to {SIDE_MAX} pixels")),
            BadRequest::NotBase64(error) => ("NotBase64", format!("image is not base64: {error}")),
            BadRequest::NotAPicture(error) => ("NotAPicture", format!("image is not a PNG or JPEG: {error}")),
            BadRequest::TooLarge => ("TooLarge", format!("image unfolds to more than {UNFOLDED_BYTES_MAX} bytes")),
        };
        Self { error_type: error_type.to_owned(), error_message }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Request>) -> Result<Response, BadRequest> {
    thumbnail(&event.payload)
}

fn thumbnail(request: &Request) -> Result<Response, BadRequest> {
    let sides = 1..=SIDE_MAX;
    if !sides.contains(&request.width) || !sides.contains(&request.height) {
        return Err(BadRequest::BadSize);
    }
    let file = BASE64_STANDARD.decode(&request.image).map_err(BadRequest::NotBase64)?;
    let picture = read(&file)?;
    let small = if picture.width() <= request.width && picture.height() <= request.height {
        picture
    } else {
        picture.thumbnail(request.width, request.height)
    };
    let mut png = Cursor::new(Vec::new());
    small.write_to(&mut png, ImageFormat::Png).map_err(BadRequest::NotAPicture)?;
    Ok(Response { width: small.width(), height: small.height(), image: BASE64_STANDARD.encode(png.into_inner()) })
}

/// Reads a picture and turns it as the camera was held.
fn read(file: &[u8]) -> Result<DynamicImage, BadRequest> {
    let reader = ImageReader::new(Cursor::new(file)).with_guessed_format().expect("memory can always be read");
    let mut decoder = reader.into_decoder().map_err(BadRequest::NotAPicture)?;
    if decoder.total_bytes() > UNFOLDED_BYTES_MAX {
        return Err(BadRequest::TooLarge);
    }
    let orientation = decoder.orientation().map_err(BadRequest::NotAPicture)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(BadRequest::NotAPicture)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    /// A picture whose left half is red and whose right half is blue.
    fn request(format: ImageFormat, picture: (u32, u32), (width, height): (u32, u32)) -> Request {
        let middle = picture.0 / 2;
        let halves =
            RgbImage::from_fn(picture.0, picture.1, |x, _| Rgb(if x < middle { [250, 0, 0] } else { [0, 0, 250] }));
        let mut file = Cursor::new(Vec::new());
        halves.write_to(&mut file, format).unwrap();
        Request { image: BASE64_STANDARD.encode(file.into_inner()), width, height }
    }

    fn decoded(response: &Response) -> RgbImage {
        let png = BASE64_STANDARD.decode(&response.image).unwrap();
        image::load_from_memory_with_format(&png, ImageFormat::Png).unwrap().into_rgb8()
    }

    fn error_type(request: &Request) -> String {
        Diagnostic::from(thumbnail(request).unwrap_err()).error_type
    }

    #[test]
    fn a_picture_shrinks_to_fit_and_keeps_its_shape_and_colours() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let response = thumbnail(&request(format, (80, 40), (20, 20))).unwrap();
            let small = decoded(&response);
            assert_eq!((response.width, response.height), (20, 10));
            assert_eq!(small.dimensions(), (20, 10));
            let (left, right) = (small.get_pixel(2, 5), small.get_pixel(17, 5));
            assert!(left[0] > 200 && left[2] < 50 && right[0] < 50 && right[2] > 200, "{left:?} {right:?}");
        }
    }

    #[test]
    fn a_small_picture_is_not_enlarged() {
        let response = thumbnail(&request(ImageFormat::Png, (8, 6), (100, 100))).unwrap();
        assert_eq!(decoded(&response).dimensions(), (8, 6));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        assert_eq!(error_type(&request(ImageFormat::Png, (8, 6), (0, 10))), "BadSize");
        assert_eq!(error_type(&request(ImageFormat::Png, (8, 6), (10, SIDE_MAX + 1))), "BadSize");
        assert_eq!(error_type(&Request { image: "no!".into(), width: 9, height: 9 }), "NotBase64");
        assert_eq!(error_type(&Request { image: BASE64_STANDARD.encode("text"), width: 9, height: 9 }), "NotAPicture");
        let mut cut = request(ImageFormat::Png, (80, 40), (9, 9));
        cut.image.truncate(64);
        assert_eq!(error_type(&cut), "NotAPicture");
        // 12,000 × 12,000 pixels of three bytes, promised by a header alone.
        let mut file = BASE64_STANDARD.decode(request(ImageFormat::Png, (8, 6), (9, 9)).image).unwrap();
        file[16..24].copy_from_slice(&[0, 0, 0x2e, 0xe0, 0, 0, 0x2e, 0xe0]);
        let checksum = crc32(&file[12..29]);
        file[29..33].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(error_type(&Request { image: BASE64_STANDARD.encode(file), width: 9, height: 9 }), "TooLarge");
    }

    /// The checksum of a PNG chunk.
    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |sum: u32, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
        })
    }

    #[test]
    fn the_event_of_the_readme_works() {
        let request: Request = serde_json::from_str(include_str!("../event.json")).unwrap();
        let response = thumbnail(&request).unwrap();
        assert_eq!((response.width, response.height), (64, 48));
    }
}
