//! stub

/// stub
#[derive(Default, Debug)]
pub struct NameBuffer(String);

/// stub
pub fn name_template<'b>(name: &[u8], buffer: &'b mut NameBuffer) -> &'b str {
    buffer.0.clear();
    buffer.0.push_str(&String::from_utf8_lossy(name));
    &buffer.0
}
