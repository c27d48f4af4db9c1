//! What JSON costs in memory.

/// An object: a node of its map has room for eleven fields, however few there are.
const OBJECT: usize = 640;
/// A list, which has room for four values from its first on.
const LIST: usize = 128;
/// A further value: lists have room for as many again as they hold.
const VALUE: usize = 64;
/// A field's name and value, in nodes that are half full.
const FIELD: usize = 96;
/// A string, beside its letters.
const STRING: usize = 32;

/// About how many bytes of memory `serde_json` needs for the values of a JSON text, beside the letters
/// of its strings. The text need not be valid.
///
/// It can be a hundred times the text: `{"":0},` has seven bytes, and becomes an object of more than
/// six hundred. So what a stranger sent is looked at before values are made of it.
///
/// ```
/// use nova_web::json::memory_of;
///
/// assert!(memory_of(br#"{"text": "{,{,{,{,"}"#) < 1000);
/// let objects = format!("[{}]", r#"{"":0},"#.repeat(1000));
/// assert!(memory_of(objects.as_bytes()) > 700_000);
/// ```
pub fn memory_of(json: &[u8]) -> usize {
    let mut bytes = json.iter();
    let mut memory = 0;
    while let Some(byte) = bytes.next() {
        memory += match byte {
            b'{' => OBJECT,
            b'[' => LIST,
            b',' => VALUE,
            b':' => FIELD,
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => _ = bytes.next(),
                        _ => {}
                    }
                }
                STRING
            }
            _ => 0,
        };
    }
    memory
}
