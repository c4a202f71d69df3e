//! Data that a segment's row keeps beside its root, so that verification names the changed entry
//! and not only its segment.
//!
//! The segment's root is computed from the roots of its blocks of 64 leaves (32 bytes each), so it
//! is certain which block was changed, whatever else was. The first 8 bytes of each leaf's hash,
//! its *mark*, identify the entry within the block. Somebody who changes an entry together with its
//! mark still reveals the block. An outline takes 8.5 bytes for each entry.

use super::merkle::{Hash, Tree};

/// The outline of one segment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outline {
    /// The root of each block.
    pub blocks: Vec<Hash>,
    /// The mark of each leaf.
    pub marks: Vec<Mark>,
}

/// The first bytes of a leaf's hash.
pub type Mark = [u8; 8];

/// The number of leaves of a block; the last block may have fewer. A power of two, so that a block
/// is a subtree.
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

    /// Serializes the outline: the blocks, then the marks.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.blocks.as_flattened(), self.marks.as_flattened()].concat()
    }

    /// Reads the bytes of [`Outline::to_bytes`] for a segment with this many entries.
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
    /// Adds the next leaf. Returns the root of the block that it completes.
    pub fn push(&mut self, leaf: Hash) -> Option<Hash> {
        self.outline.marks.push(mark(&leaf));
        self.block.push(leaf);
        (self.block.size() == BLOCK as u64).then(|| self.end_block())
    }

    /// The number of added leaves.
    pub fn size(&self) -> u64 {
        self.outline.marks.len() as u64
    }

    /// Returns the root and the outline.
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
    fn an_outline_has_the_root_of_its_leaves_and_is_read_back() {
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
