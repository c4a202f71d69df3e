//! Who may administer the gateway: nobody by accident, nobody by a trick, and nobody unknown from elsewhere.

use crate::harness::{Setup, Site, in_time};

fn setup() -> Setup {
    Setup::before_servers(&["http://127.0.0.1:9".to_owned()])
}

#[tokio::test]
async fn what_others_can_reach_does_not_start_without_tls_and_tokens() {
    in_time(async {
        let certificate = "certificate = { chain = \"dev.crt\", key = \"dev.key\" }";
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
            let listen = format!("listen = \"{address}\"");
            for (more, lacking) in [
                ("", "a token_file and a certificate"),
                ("token_file = \"tokens\"", "a certificate"),
                (certificate, "a token_file"),
            ] {
                let site = Site::of(&setup().admin(&listen).admin(more));
                for command in ["check", "run"] {
                    let finished = site.run(&[command]).await;
                    assert_eq!(finished.code, Some(1), "{command} {address}: {finished:?}");
                    let told = format!(
                        "error: admin.listen: is reachable from elsewhere, expected {lacking}\n"
                    );
                    assert!(finished.stderr.contains(&told), "{}", finished.stderr);
                }
            }
        }
    })
    .await;
}
