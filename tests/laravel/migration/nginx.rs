//! `docs/migrate-from-nginx.md`: Debian's nginx with PHP-FPM.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use super::{
    CONFIG, HOST, Listens, Machine, Service, assert_has_hsts, assert_plants, assert_serves,
    assert_strips,
};
use crate::{
    browser::{Browser, Http},
    process::{self, HOW_TO_INSTALL},
};

const SITE: &str = "/etc/nginx/sites-available/example";
const APPLICATION: &str = "/srv/www.example.com";

#[test]
fn the_page_about_nginx_leads_to_the_gateway_and_back() {
    let mut machine = Machine::of("docs/migrate-from-nginx.md", &[80, 443, 8000, 8443, 9443]);
    prepare(&mut machine);

    // Before.
    machine.write(SITE, &machine.block("nginx before"));
    machine.systemctl("start", "nginx");
    let user = machine.browser(443);
    user.log_in();
    assert_serves(&user, "ada@acme.example");
    assert_plants(&machine.browser(443));
    assert_has_hsts(&user);
    assert_limits_bodies(&machine, &user);
    assert_eq!(machine.plain("/login").field("location"), Some("https://www.example.com/login"));

    // The gateway beside nginx, which does not know yet whom Laravel trusts.
    machine.write(SITE, &machine.block("nginx after"));
    machine.follow("sh listen");
    machine.wait_for_port("nginx", 8000);
    machine.write(CONFIG, &machine.block("toml config.toml"));
    machine.follow("sh start");
    let seen = user.at_port(machine.port(8443)).call("/whoami").json();
    assert_eq!(seen["client"], "127.0.0.1");
    assert!(seen["url"].as_str().expect("an address").starts_with("http://"), "{seen}");
    let trusted = machine.block("php config/trustedproxy.php");
    machine.write(&format!("{APPLICATION}/config/trustedproxy.php"), &trusted);
    assert_serves(&user.at_port(machine.port(8443)), "ada@acme.example");
    assert_serves(&user, "ada@acme.example");

    // The gateway in nginx's place, at first in report mode.
    machine.follow("sh swap");
    assert_serves(&user, "ada@acme.example");
    assert_plants(&machine.browser(443));
    machine.follow("sh enforce");
    assert_strips(&machine.browser(443));
    user.navigate("/map-builder");
    assert_eq!(user.names(), ["XSRF-TOKEN", "laravel_session"]);
    assert_serves(&user, "ada@acme.example");
    assert_has_hsts(&user);
    assert_limits_bodies(&machine, &user);
    assert_eq!(machine.plain("/login").field("location"), Some("https://www.example.com/login"));
    assert_plants(&machine.browser(8443));

    // Rolled back.
    machine.follow("sh rollback");
    assert_serves(&user, "ada@acme.example");
    assert_plants(&machine.browser(443));
    assert_has_hsts(&user);
    assert_limits_bodies(&machine, &user);
    assert_strips(&machine.browser(8443));
}

/// 1 MiB passes and 3 MiB do not. Over HTTP/1.1, because Debian 12's curl loses an HTTP/2 answer that comes before it
/// has sent the whole body.
#[track_caller]
fn assert_limits_bodies(machine: &Machine, user: &Browser) {
    let user = user.over(Http::One);
    for (mebibytes, status) in [(1, 201), (3, 413)] {
        machine.write("/upload", &format!("plan={}", "x".repeat(mebibytes * 1024 * 1024)));
        let file = format!("@{}", machine.path("/upload").display());
        assert_eq!(user.post("/api/desks/B1/bookings", &file).status, status, "{mebibytes} MiB");
    }
}

/// Installs everything that the page takes for granted, and starts PHP.
fn prepare(machine: &mut Machine) {
    let [chain, key] = machine.certificate();
    for (path, text) in [
        ("/etc/ssl/www.example.com/fullchain.pem", &chain),
        ("/etc/crumbgate/www.example.com.crt", &chain),
        ("/etc/ssl/www.example.com/privkey.pem", &key),
        ("/etc/crumbgate/www.example.com.key", &key),
    ] {
        machine.write(path, text);
    }
    machine.restrict("/etc/crumbgate/www.example.com.key");

    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/laravel/application");
    let application = machine.path(APPLICATION);
    copy(&source, &application).expect("the folder is ours");
    fs::remove_file(application.join("config/trustedproxy.php")).expect("it was copied");
    let storage = machine.path("/var/lib/application");
    let prepared = process::run(
        Command::new("php").arg("prepare.php").current_dir(&application).envs(settings(&storage)),
    );
    assert!(prepared.status.success(), "{prepared:?}");

    let user = process::run(Command::new("id").arg("-un")).stdout;
    let user = String::from_utf8(user).expect("a user's name is text");
    let user = user.trim();
    fs::create_dir_all(machine.path("/run/php")).expect("the folder is ours");
    let root = machine.root.path().display().to_string();
    machine.write(
        "/etc/php-fpm.conf",
        &format!(
            "[global]\nerror_log = {root}/var/log/php-fpm.log\n[www]\nuser = {user}\n\
             listen = {root}/run/php/php-fpm.sock\npm = static\npm.max_children = 2\nclear_env = no\n\
             php_admin_value[opcache.enable] = 0\nphp_admin_value[post_max_size] = 64M\n"
        ),
    );
    machine.install(
        "php-fpm",
        Service {
            command: php_fpm,
            reload: Signal::USR2,
            listens: Listens::Socket("/run/php/php-fpm.sock"),
        },
    );
    machine.systemctl("start", "php-fpm");
    machine.install(
        "nginx",
        Service { command: nginx, reload: Signal::HUP, listens: Listens::Port(&[443, 8443]) },
    );
    machine.install_crumbgate();

    // Debian's nginx.conf, with other paths. nginx finds what a site includes beside it.
    fs::create_dir_all(machine.path("/etc/nginx")).expect("the folder is ours");
    for file in ["fastcgi_params", "mime.types"] {
        symlink(Path::new("/etc/nginx").join(file), machine.path(&format!("etc/nginx/{file}")))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    machine.write(
        "/etc/nginx/nginx.conf",
        &format!(
            "daemon off;\nuser {user};\npid {root}/run/nginx.pid;\nerror_log {root}/var/log/nginx-error.log;\n\
             events {{}}\nhttp {{\n    include mime.types;\n    access_log off;\n    \
             client_body_temp_path {root}/var/body;\n    fastcgi_temp_path {root}/var/fastcgi;\n    \
             proxy_temp_path {root}/var/proxy;\n    uwsgi_temp_path {root}/var/uwsgi;\n    \
             scgi_temp_path {root}/var/scgi;\n    include {root}{SITE};\n}}\n"
        ),
    );
    let configuration = machine.path("/etc/nginx/nginx.conf");
    machine.program("nginx", NGINX, &format!("-c {}", configuration.display()));
}

const NGINX: &str = "/usr/sbin/nginx";

fn nginx(root: &Path) -> Command {
    let mut command = Command::new(NGINX);
    command.arg("-c").arg(root.join("etc/nginx/nginx.conf"));
    command
}

fn php_fpm(root: &Path) -> Command {
    let folder = fs::read_dir("/usr/sbin").expect("there is such a folder");
    let mut files = folder.map(|entry| entry.expect("it can be listed").path());
    let is_fpm = |path: &PathBuf| path.to_string_lossy().starts_with("/usr/sbin/php-fpm");
    let fpm = files.find(is_fpm).unwrap_or_else(|| panic!("php-fpm is not here. {HOW_TO_INSTALL}"));
    let mut command = Command::new(fpm);
    command.args(["--nodaemonize", "--allow-to-run-as-root", "--fpm-config"]);
    command.arg(root.join("etc/php-fpm.conf")).envs(settings(&root.join("var/lib/application")));
    command
}

/// The application's settings, with the names of Laravel's own defaults.
fn settings(storage: &Path) -> [(&'static str, PathBuf); 3] {
    [
        ("APP_PACKAGES_CACHE", storage.join("packages.php")),
        ("APP_SERVICES_CACHE", storage.join("services.php")),
        ("STORAGE_PATH", storage.to_owned()),
    ]
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[test]
fn the_page_about_nginx_names_the_host_of_its_certificate() {
    let machine = Machine::of("docs/migrate-from-nginx.md", &[]);
    for words in ["nginx before", "nginx after"] {
        assert!(machine.block(words).contains(&format!("server_name {HOST};")), "{words}");
    }
}
