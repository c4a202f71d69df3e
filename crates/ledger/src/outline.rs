//! What a segment's row keeps beside its root, so that not only the segment is named that does not fit, but the entry.
//!
//! The root of each block of 64 leaves (32 bytes) is proven by the segment's root, which is made of them; so the block
//! that does not fit is certain, whatever else was changed. The first 8 bytes of each leaf's hash, its *mark*, name the
//! entry within the block; who changes an entry and its mark leaves at least the block. That is 8.5 bytes for each entry.

use super::merkle::{Hash, Tree};

/// The outline of one segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outline {
    /// The root of each block.
    pub blocks: Vec<Hash>,
    /// The mark of each leaf.
    pub marks: Vec<Mark>,
}

/// The beginning of a leaf's hash.
pub type Mark = [u8; 8];

/// How many leaves a block has; the last one may have fewer. A power of two: so it is a subtree.
pub const BLOCK: usize = 64;

/// The mark of a leaf.
pub fn mark(leaf: &Hash) -> Mark {
    let [mark @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = *leaf;
    mark
}

impl Outline {
    /// The root of the tree with these blocks.
    pub fn root(&self) -> Hash {
        let mut tree = Tree::default();
        self.blocks.iter().for_each(|block| tree.push(*block));
        tree.root()
    }

    /// How it is kept: the blocks, then the marks.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.blocks.as_flattened(), self.marks.as_flattened()].concat()
    }

    /// Reads what [`Outline::to_bytes`] wrote, of a segment with so many entries.
    pub fn of_bytes(bytes: &[u8], entries: u64) -> Option<Self> {
        let entries = usize::try_from(entries).ok()?;
        let blocks = entries.div_ceil(BLOCK);
        let (blocks, marks) = bytes.split_at_checked(blocks.checked_mul(size_of::<Hash>())?)?;
        let (blocks, marks) = (blocks.as_chunks().0.to_vec(), marks.as_chunks());
        let (marks, []) = marks else { return None };
        (marks.len() == entries).then(|| Self { blocks, marks: marks.to_vec() })
    }
}

/// Builds the root and the outline of a segment, leaf by leaf.
#[derive(Debug, Default)]
pub struct OutlineBuilder {
    outline: Outline,
    block: Tree,
    tree: Tree,
}

impl OutlineBuilder {
    /// Adds the next leaf. Returns the block that it completes.
    pub fn push(&mut self, leaf: Hash) -> Option<Hash> {
        self.outline.marks.push(mark(&leaf));
        self.block.push(leaf);
        (self.block.size() == BLOCK as u64).then(|| self.end_block())
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.outline.marks.len() as u64
    }

    /// The root and the outline.
    pub fn finish(mut self) -> (Hash, Outline) {
        if self.block.size() > 0 {
            self.end_block();
        }
        (self.tree.root(), self.outline)
    }

    fn end_block(&mut self) -> Hash {
        let root = std::mem::take(&mut self.block).root();
        self.outline.blocks.push(root);
        self.tree.push(root);
        root
    }
}

#[cfg(test)]
mod tests {
    use super::{super::merkle::leaf, *};

    #[test]
    fn an_outline_has_the_root_of_its_leaves_and_can_be_kept() {
        for size in [0, 1, 63, 64, 65, 128, 1_000] {
            let (mut builder, mut tree) = (OutlineBuilder::default(), Tree::default());
            for number in 0..size {
                let leaf = leaf(&u64::to_be_bytes(number));
                builder.push(leaf);
                tree.push(leaf);
            }
            assert_eq!(builder.size(), size);
            let (root, outline) = builder.finish();
            assert_eq!(root, tree.root(), "{size}");
            assert_eq!(outline.root(), root, "{size}");
            let bytes = outline.to_bytes();
            assert_eq!(Outline::of_bytes(&bytes, size), Some(outline));
            assert_eq!(Outline::of_bytes(&bytes, size + 1), None);
            assert_eq!(Outline::of_bytes(&[&bytes[..], &[0]].concat(), size), None);
        }
    }
}
