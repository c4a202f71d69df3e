//! Merkle trees of RFC 9162, section 2.1: one hash for many leaves in their order, and short proofs
//! that a leaf is among them.

use aws_lc_rs::digest::{self, SHA256};
use crumbgate_base::text::hex;

/// A SHA-256.
pub type Hash = [u8; 32];

/// The SHA-256 of these bytes.
pub fn sha256(bytes: &[u8]) -> Hash {
    let mut hash = Hash::default();
    // A SHA-256 has 32 bytes.
    hash.copy_from_slice(digest::digest(&SHA256, bytes).as_ref());
    hash
}

/// Returns true if `hash` is the SHA-256 of these bytes, in hexadecimal digits.
pub fn has_hash(bytes: &[u8], hash: &str) -> bool {
    hex(&sha256(bytes)) == hash
}

/// The hash of a leaf with this content.
pub fn leaf(content: &[u8]) -> Hash {
    let mut prefixed = Vec::with_capacity(1 + content.len());
    prefixed.push(LEAF);
    prefixed.extend_from_slice(content);
    sha256(&prefixed)
}

/// The byte before a leaf's content when it is hashed, so that no leaf can pass for a node.
pub(super) const LEAF: u8 = 0;
const NODE: u8 = 1;

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut prefixed = [NODE; 65];
    prefixed[1..33].copy_from_slice(left);
    prefixed[33..].copy_from_slice(right);
    sha256(&prefixed)
}

/// A tree that grows leaf by leaf. It keeps only the roots of its complete subtrees, at most 64
/// hashes.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    size: u64,
    /// The roots of the complete subtrees, largest first: one for each bit that is set in `size`.
    peaks: Vec<Hash>,
}

impl Tree {
    /// Adds a leaf, or the root of a subtree. All added subtrees must have the same size, a power
    /// of two; only the last may be smaller.
    pub fn push(&mut self, leaf: Hash) {
        let mut subtree = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                subtree = node(&left, &subtree);
            }
        }
        self.peaks.push(subtree);
        self.size += 1;
    }

    /// The number of added leaves or subtrees.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root. An empty tree has the hash of no bytes.
    pub fn root(&self) -> Hash {
        let smaller = self.peaks.iter().rev().copied();
        smaller.reduce(|right, left| node(&left, &right)).unwrap_or_else(|| sha256(b""))
    }
}

/// A whole tree in memory, 64 bytes for each leaf, for proofs of many leaves.
#[derive(Clone, Debug)]
pub struct WholeTree {
    /// The leaves, then each level above them. A node without a sibling is its own parent.
    levels: Vec<Vec<Hash>>,
}

impl WholeTree {
    /// Builds the tree of these leaves.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                alone => alone.first().copied().unwrap_or_default(),
            });
            levels.push(above.collect());
        }
        Self { levels }
    }

    /// The root. An empty tree has the hash of no bytes.
    pub fn root(&self) -> Hash {
        let top = self.levels.last().and_then(|level| level.first());
        top.copied().unwrap_or_else(|| sha256(b""))
    }

    /// Returns the proof for the leaf at `index`: the siblings on its way up, lowest first (RFC
    /// 9162, section 2.1.3.1). Empty for an only leaf, and where there is no such leaf.
    pub fn path(&self, index: usize) -> Vec<Hash> {
        let siblings = self.levels.iter().enumerate().map(|(height, level)| {
            let at = index >> height;
            level.get(at ^ 1)
        });
        siblings.flatten().copied().collect()
    }
}

/// Returns the root to which a proof leads from the leaf at `index` of a tree of `size` leaves (RFC
/// 9162, section 2.1.3.2). `None` where no tree of that size has such a proof.
pub fn root_of_path(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut root = leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            root = node(sibling, &root);
            // A node without a sibling is its own parent.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            root = node(&root, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;

    fn digits(hash: Hash) -> String {
        hash.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    fn root(leaves: &[Hash]) -> Hash {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        assert_eq!(tree.size(), leaves.len() as u64);
        tree.root()
    }

    /// The definition of RFC 9162, section 2.1.1, literally.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => sha256(b""),
            [leaf] => *leaf,
            more => {
                let split = (1..).map(|bit| 1 << bit).take_while(|k| *k < more.len()).last();
                let (left, right) = more.split_at(split.unwrap_or(1));
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    /// The leaves and roots of the tests of Certificate Transparency's implementations.
    #[test]
    fn the_known_trees_have_their_known_roots() {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let leaves = leaves.map(leaf);
        for (size, expected) in roots.iter().enumerate() {
            assert_eq!(digits(root(&leaves[..size])), *expected, "{size} leaves");
        }
    }

    #[test]
    fn the_known_proofs_lead_to_their_roots() {
        let leaves: Vec<_> = (0u8..7).map(|number| leaf(&[number])).collect();
        let tree = WholeTree::new(leaves.clone());
        let [d0, d1, d2, d3, d4, d5, d6] = leaves[..] else { panic!() };
        // The nodes have the letters of RFC 9162, section 2.1.5.
        let (g, h, i, j) = (node(&d0, &d1), node(&d2, &d3), node(&d4, &d5), d6);
        let (k, l) = (node(&g, &h), node(&i, &j));
        assert_eq!(tree.path(0), [d1, h, l]);
        assert_eq!(tree.path(3), [d2, g, l]);
        assert_eq!(tree.path(4), [d5, j, k]);
        assert_eq!(tree.path(6), [i, k]);
        assert_eq!(tree.root(), node(&k, &l));
    }

    proptest! {
        #[test]
        fn every_way_of_building_a_tree_has_the_same_root(size in 0usize..300, block in 0u32..7) {
            let leaves: Vec<_> = (0..size).map(|number| leaf(&number.to_be_bytes())).collect();
            let expected = by_definition(&leaves);
            prop_assert_eq!(root(&leaves), expected);
            prop_assert_eq!(WholeTree::new(leaves.clone()).root(), expected);
            let blocks: Vec<_> = leaves.chunks(1 << block).map(root).collect();
            prop_assert_eq!(root(&blocks), expected);
        }

        #[test]
        fn a_proof_holds_for_its_leaf_place_and_tree_and_for_no_other(
            size in 1u64..300,
            at in any::<prop::sample::Index>(),
            other in any::<prop::sample::Index>(),
        ) {
            let leaves: Vec<_> = (0..size).map(|number| leaf(&number.to_be_bytes())).collect();
            let index = at.index(leaves.len());
            let tree = WholeTree::new(leaves.clone());
            let mut path = tree.path(index);
            let place = index as u64;
            prop_assert_eq!(root_of_path(leaves[index], place, size, &path), Some(tree.root()));
            prop_assert_ne!(root_of_path(leaf(b"other"), place, size, &path), Some(tree.root()));
            let elsewhere = other.index(leaves.len() + 2) as u64;
            if elsewhere != place {
                prop_assert_ne!(root_of_path(leaves[index], elsewhere, size, &path), Some(tree.root()));
            }
            path.push(leaf(b"more"));
            prop_assert_ne!(root_of_path(leaves[index], place, size, &path), Some(tree.root()));
            if size > 1 {
                path.truncate(path.len() - 2);
                prop_assert_ne!(root_of_path(leaves[index], place, size, &path), Some(tree.root()));
            }
        }

        #[test]
        fn no_proof_panics(index: u64, size: u64, length in 0usize..70) {
            root_of_path(Hash::default(), index, size, &vec![Hash::default(); length]);
        }
    }
}
