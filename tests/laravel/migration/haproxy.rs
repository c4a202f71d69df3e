//! `docs/migrate-from-haproxy.md`: Debian's HAProxy before two servers of the application.

use std::{fs, path::Path, process::Command};

use rustix::process::Signal;

use super::{
    CONFIG, Listens, Machine, Service, assert_has_hsts, assert_plants, assert_serves, assert_strips,
};
use crate::application::Application;

const CFG: &str = "/etc/haproxy/haproxy.cfg";

#[test]
fn the_page_about_haproxy_leads_to_the_gateway_and_back_and_on_without_haproxy() {
    let application = Application::with_session_cookie("laravel_session");
    let second = application.second_server();
    let ports = [80, 443, 8000, 8443, 9443];
    let mut machine = Machine::of("docs/migrate-from-haproxy.md", &ports);
    machine.ports.extend([(9001, application.port), (9002, second.port)]);
    let [chain, key] = machine.certificate();
    machine.write("/etc/haproxy/certs/www.example.com.pem", &format!("{chain}{key}"));
    let service =
        Service { command: haproxy, reload: Signal::USR2, listens: Listens::Port(&[443, 8443]) };
    machine.install("haproxy", service);
    machine.install_crumbgate();
    machine.program("haproxy", HAPROXY, "");

    // Before.
    machine.write(CFG, &(DEFAULTS.to_owned() + &machine.block("haproxy before")));
    machine.systemctl("start", "haproxy");
    let user = machine.browser(443);
    user.log_in();
    assert_serves(&user, "ada@acme.example");
    assert_plants(&machine.browser(443));
    assert_has_hsts(&user);
    assert_redirects(&machine);

    // The gateway beside HAProxy.
    machine.write(CFG, &(DEFAULTS.to_owned() + &machine.block("haproxy after")));
    machine.follow("sh listen");
    machine.wait_for_port("haproxy", 8000);
    machine.follow("sh certificate");
    machine.write(CONFIG, &machine.block("toml config.toml"));
    machine.follow("sh start");
    assert_serves(&user.at_port(machine.port(8443)), "ada@acme.example");

    // The gateway in its place, at first in report mode.
    machine.follow("sh swap");
    assert_serves(&user, "ada@acme.example");
    assert_plants(&machine.browser(443));
    machine.follow("sh enforce");
    assert_strips(&machine.browser(443));
    user.navigate("/map-builder");
    assert_eq!(user.names(), ["XSRF-TOKEN", "laravel_session"]);
    assert_serves(&user, "ada@acme.example");
    assert_has_hsts(&user);
    assert_redirects(&machine);
    assert_plants(&machine.browser(8443));

    // Rolled back.
    machine.follow("sh rollback");
    assert_serves(&user, "ada@acme.example");
    assert_plants(&machine.browser(443));
    assert_has_hsts(&user);
    assert_strips(&machine.browser(8443));

    // Without HAProxy.
    let config = fs::read_to_string(machine.path(CONFIG)).expect("it is there");
    let (before, rest) = config.split_once("[upstreams.app]\n").expect("the section");
    let (_, after) = rest.split_once("\n[").expect("a section behind it");
    let section = machine.block("toml without haproxy");
    machine.write(CONFIG, &format!("{before}{section}\n[{after}"));
    machine.follow("sh without");
    assert_strips(&machine.browser(443));
    assert_serves(&user, "ada@acme.example");
    assert_redirects(&machine);
    assert_eq!(user.navigate("/login").field("strict-transport-security"), None);
}

#[track_caller]
fn assert_redirects(machine: &Machine) {
    let answer = machine.plain("/login");
    let location = answer.field("location").expect("a redirect");
    assert!(location.starts_with("https://www.example.com"), "{location}");
    assert!(location.ends_with("/login"), "{location}");
}

const HAPROXY: &str = "/usr/sbin/haproxy";

/// With a master, which Debian's unit starts as well: it takes a new configuration at a signal.
fn haproxy(root: &Path) -> Command {
    let mut command = Command::new(HAPROXY);
    command.args(["-W", "-f"]).arg(root.join(&CFG[1..]));
    command
}

/// Debian's, as far as they do not depend on the machine.
const DEFAULTS: &str = "\
defaults
    mode http
    option dontlognull
    timeout connect 5000
    timeout client 50000
    timeout server 50000

";
