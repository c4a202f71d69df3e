//! `crumbgate guard`: the script that pages get, as an operator or an auditor reads it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::harness::{Setup, Site, in_time};

/// A folder whose configuration has tenants with and without a guard.
fn guarded() -> Site {
    let setup = Setup::before_servers(&["http://127.0.0.1:9".to_owned()]);
    Site::of(
        &setup
            .defaults("guard = \"enforce\"")
            .tenant("enforce.example", "")
            .tenant("report.example", "mode = \"report\"")
            .tenant("required.example", "agreement = \"required\"")
            .tenant("off.example", "guard = \"off\"")
            .sections("[page]\npath = \"/c\"\n\n[seal]\nkeys = \"state/seal.keys\"\n"),
    )
}

/// The output of the command, without its confirmations.
async fn script_of(site: &Site, options: &[&str]) -> String {
    let arguments: Vec<_> = ["--quiet", "guard"].iter().chain(options).copied().collect();
    let finished = site.run(&arguments).await;
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
    finished.stdout
}

#[tokio::test]
async fn w2_the_script_is_printed_with_its_hash_and_its_size() {
    in_time(async {
        let site = guarded();
        let script = script_of(&site, &["--tenant", "enforce.example"]).await;
        let html = script.strip_suffix('\n').unwrap();
        let text = html.strip_prefix("<script>").unwrap().strip_suffix("</script>").unwrap();
        let hash = STANDARD.encode(digest(&SHA256, text.as_bytes()));
        let finished = site.run(&["guard"]).await;
        let about = finished.stdout.strip_prefix(&script).unwrap();
        assert!(about.contains(&format!("{} bytes\n", html.len())), "{about}");
        assert!(about.contains(&format!("'sha256-{hash}'\n")), "{about}");
    })
    .await;
}

#[tokio::test]
async fn w2_each_tenant_has_the_arguments_of_its_mode_and_its_agreement() {
    in_time(async {
        let site = guarded();
        let names = "[\"XSRF-TOKEN\",\"visitedMapBuilder\"]";
        for (options, arguments) in [
            (&["--tenant", "enforce.example"][..], format!("{names},\"/c/seen\",true")),
            (&["--tenant", "report.example"], format!("{names},\"/c/seen\",false")),
            (&["--tenant", "required.example"], format!("{names},\"/c/seen\",true")),
            (
                &["--tenant", "required.example", "--before-agreement"],
                "[],\"/c/seen\",true".to_owned(),
            ),
            (
                &["--tenant", "enforce.example", "--before-agreement"],
                format!("{names},\"/c/seen\",true"),
            ),
        ] {
            for (form, end) in [
                (&[][..], "</script>\n"),
                (&["--source"], "\n"),
                (&["--worker"], ";\n"),
                (&["--worker", "--source"], ";\n"),
            ] {
                let script = script_of(&site, &[options, form].concat()).await;
                assert!(script.ends_with(&format!("({arguments}){end}")), "{options:?} {form:?}");
                assert_eq!(script.contains("\n//"), form.contains(&"--source"));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_tenant_without_a_guard_has_no_script() {
    in_time(async {
        let finished = guarded().run(&["guard", "--tenant", "off.example"]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(1), ""));
        assert!(finished.stderr.contains("the guard is off"), "{}", finished.stderr);
    })
    .await;
}
