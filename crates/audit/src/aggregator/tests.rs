use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::mpsc::{Receiver, sync_channel},
};

use proptest::prelude::*;

use super::*;
use crumbgate_policy::verdict::Reason;

const WINDOW_S: u32 = 60;
/// The version of the first declaration.
const FIRST: &str = "first";

/// An aggregator whose batches only the test receives.
fn new_aggregator(capacity: usize) -> (Rc<Aggregator>, Receiver<Batch>) {
    let (sender, batches) = sync_channel(capacity);
    (Aggregator::new(Arc::new(Counters::default()), Some((sender, WINDOW_S))), batches)
}

fn count(recorder: &TenantRecorder, name: &str, action: Action, unix_s: u64) {
    let (direction, requested, granted_s) = (Direction::Request, None, None);
    let verdict = Verdict {
        direction,
        name: name.as_bytes(),
        action,
        requested,
        granted_s,
        seal: None,
        count: 1,
    };
    let route = recorder.route("/api/desks/42");
    recorder.count(&verdict, Mode::Enforce, route.as_ref(), unix_s);
}

const STRIP: Action = Action::Strip(Reason::Undeclared);

/// Names that are their own template.
fn names(number: usize) -> Vec<String> {
    let letter = |n: usize| char::from(b"bdfgklmnprst"[n % 12]);
    let name = |n: usize| {
        format!("{}a{}e{}o{}i", letter(n), letter(n / 12), letter(n / 144), letter(n / 1_728))
    };
    let stays =
        |name: &String| name_template(name.as_bytes(), &mut NameBuffer::default()) == name.as_str();
    (0..20_736).map(name).filter(stays).take(number).collect()
}

fn name(number: usize) -> String {
    names(number + 1).swap_remove(number)
}

/// Sums of batches by window and declaration: cookies seen, and cookies in rows or counted as dropped.
#[derive(Debug, Default, Eq, PartialEq)]
struct Sums {
    requests: u64,
    seen: Figures,
    counted: Figures,
}

fn sums(batches: impl IntoIterator<Item = Batch>) -> BTreeMap<(Window, Arc<str>), Sums> {
    let mut windows = BTreeMap::<_, Sums>::new();
    for batch in batches {
        let sums = windows.entry((batch.window, batch.declaration)).or_default();
        for tenant in batch.tenants {
            sums.requests += tenant.requests;
            sums.seen.add(tenant.seen);
            sums.counted.add(tenant.dropped);
        }
        for row in batch.verdicts {
            *sums.counted.of(row.direction, row.action) += row.count;
        }
        for row in batch.agreements {
            sums.counted.agreements += row.count;
        }
    }
    windows
}

#[test]
fn a2_equal_verdicts_are_one_row_and_the_next_batch_has_only_new_counts() {
    let (aggregator, batches) = new_aggregator(8);
    let recorder = aggregator.recorder(&"acme.example".into(), &FIRST.into());
    recorder.count_request(61);
    count(&recorder, "_ga_G1ABC2", STRIP, 61);
    count(&recorder, "_ga_G9XYZ8", STRIP, 119);
    aggregator.flush();
    count(&recorder, "_ga_G1ABC2", STRIP, 100);
    aggregator.flush();
    aggregator.flush();
    let batches: Vec<_> = batches.try_iter().collect();
    let rows: Vec<_> = batches
        .iter()
        .flat_map(|batch| &batch.verdicts)
        .map(|row| (row.name.as_deref(), &*row.route, row.count, row.first_unix_s))
        .collect();
    let template = Some("_ga_{id}");
    assert_eq!(rows, [(template, "/api/desks/{id}", 2, 60), (template, "/api/desks/{id}", 1, 60)]);
    assert_eq!(batches.iter().map(|batch| batch.tenants[0].requests).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn a2_verdicts_of_two_declarations_in_one_window_are_in_different_batches() {
    for capacity in [0, 8] {
        let (aggregator, batches) = new_aggregator(capacity);
        let recorder = aggregator.recorder(&"acme.example".into(), &FIRST.into());
        let reloaded = aggregator.recorder(&"acme.example".into(), &"second".into());
        count(&recorder, "_ga", STRIP, 0);
        count(&reloaded, "_ga", STRIP, 0);
        let reloaded = aggregator.recorder(&"acme.example".into(), &"second".into());
        count(&reloaded, "_ga", STRIP, 0);
        // An exchange that began before the reload.
        count(&recorder, "_ga", STRIP, 0);
        aggregator.flush();
        let batches: Vec<_> = batches.try_iter().chain(take_unsent(&aggregator)).collect();
        let counted: Vec<_> =
            batches.iter().map(|batch| (&*batch.declaration, batch.verdicts[0].count)).collect();
        assert_eq!(counted, [(FIRST, 1), ("second", 2), (FIRST, 1)]);
    }
}

#[test]
fn a3_a_nameless_cookie_has_no_text() {
    let (aggregator, batches) = new_aggregator(8);
    let recorder = aggregator.recorder(&"acme.example".into(), &FIRST.into());
    count(&recorder, "", Action::Strip(Reason::Nameless), 0);
    aggregator.flush();
    assert_eq!(batches.try_recv().unwrap().verdicts[0].name, None);
}

#[test]
fn a4_beyond_a_thousand_names_of_a_tenant_all_are_other_until_the_next_window() {
    let (aggregator, batches) = new_aggregator(8);
    let recorder = aggregator.recorder(&"acme.example".into(), &FIRST.into());
    for name in names(MAX_NAMES + 50) {
        count(&recorder, &name, STRIP, 0);
    }
    // A name that is already known, and a declared one, still have room.
    count(&recorder, &name(0), STRIP, 0);
    count(&recorder, "flexopus_session", Action::Keep, 0);
    count(&recorder, &name(MAX_NAMES + 1), STRIP, 60);
    aggregator.flush();
    let batches: Vec<_> = batches.try_iter().collect();
    let count_of = |batch: &Batch, name: &str| -> u64 {
        let of = |row: &&VerdictCount| row.name.as_deref() == Some(name);
        batch.verdicts.iter().filter(of).map(|row| row.count).sum()
    };
    assert_eq!(batches[0].verdicts.len(), MAX_NAMES + 2);
    assert_eq!(count_of(&batches[0], OTHER), 50);
    assert_eq!(count_of(&batches[0], &name(0)), 2);
    assert_eq!(count_of(&batches[0], "flexopus_session"), 1);
    assert_eq!(count_of(&batches[1], &name(MAX_NAMES + 1)), 1);
}

#[test]
fn a1_verdicts_without_room_are_counted_as_dropped_and_nothing_waits() {
    // No batch is received, and each tenant has names of its own.
    let (aggregator, batches) = new_aggregator(0);
    let tenants = (MAX_UNSENT_ROWS + 3 * MAX_ROWS) / MAX_NAMES;
    let names = names(MAX_NAMES);
    for tenant in 0..tenants {
        let recorder = aggregator.recorder(&format!("{tenant}.example").into(), &FIRST.into());
        recorder.count_request(0);
        for name in &names {
            count(&recorder, name, STRIP, 0);
        }
    }
    count(&aggregator.recorder(&"0.example".into(), &FIRST.into()), "late", STRIP, 60);
    drop(batches);
    let unsent = take_unsent(&aggregator);
    assert!(unsent.len() > 2, "{}", unsent.len());
    aggregator.flush();
    let rest = take_unsent(&aggregator);
    let (mut seen, mut counted, mut dropped) = (0, 0, 0);
    for batch in unsent.into_iter().chain(rest) {
        dropped += batch.tenants.iter().map(|tenant| tenant.dropped.cookies()).sum::<u64>();
        for sums in sums([batch]).into_values() {
            seen += sums.seen.cookies();
            counted += sums.counted.cookies();
        }
    }
    assert!(dropped > 0);
    assert_eq!((seen, seen), (counted, (tenants * MAX_NAMES) as u64 + 1));
}

#[test]
fn an_event_on_a_page_is_one_row_of_its_minutes_and_counts_as_no_cookie() {
    let (aggregator, batches) = new_aggregator(8);
    let recorder = aggregator.recorder(&"acme.example".into(), &FIRST.into());
    let [shown, other] = ["<p>a", "<p>b"].map(|html| Arc::new(ShownPage::new(html)));
    recorder.count_agreement(AgreementEvent::Shown, &shown, 61);
    recorder.count_agreement(AgreementEvent::Shown, &shown, 119);
    recorder.count_agreement(AgreementEvent::Agreed, &shown, 62);
    recorder.count_agreement(AgreementEvent::Shown, &other, 62);
    aggregator.flush();
    recorder.count_agreement(AgreementEvent::Withdrawn, &shown, 120);
    aggregator.flush();
    let mut counted = Vec::new();
    for batch in batches.try_iter() {
        let [tenant] = &batch.tenants[..] else { panic!("{:?}", batch.tenants) };
        assert_eq!((tenant.seen.cookies(), tenant.dropped), (0, Figures::default()));
        let of_row = |row: &AgreementCount| {
            assert_eq!(&*row.tenant, "acme.example");
            let page = Arc::clone(row.page.html());
            (row.event, page.to_string(), row.count, row.first_unix_s, row.last_unix_s)
        };
        let mut rows: Vec<_> = batch.agreements.iter().map(of_row).collect();
        rows.sort();
        counted.push((batch.window.start_unix_s, tenant.seen.agreements, rows));
    }
    let row = |event, page: &str, count, unix_s| (event, page.to_owned(), count, unix_s, unix_s);
    let first = vec![
        row(AgreementEvent::Agreed, "<p>a", 1, 60),
        row(AgreementEvent::Shown, "<p>a", 2, 60),
        row(AgreementEvent::Shown, "<p>b", 1, 60),
    ];
    let second = vec![row(AgreementEvent::Withdrawn, "<p>a", 1, 120)];
    assert_eq!(counted, [(60, 4, first), (120, 1, second)]);
    let total = aggregator.counters.total();
    assert_eq!(AgreementEvent::ALL.map(|event| total.agreements(event)), [1, 0, 3, 1]);
}

#[test]
fn a1_pages_without_room_are_counted_as_dropped_and_full_rows_are_flushed() {
    let number = Cell::new(0);
    let agree = |recorder: &TenantRecorder, unix_s: u64| {
        // Another page makes another row.
        number.set(number.get() + 1);
        let page = Arc::new(ShownPage::new(format!("<p>{}", number.get())));
        recorder.count_agreement(AgreementEvent::Shown, &page, unix_s);
    };
    // Batches are received: nothing is lost, however many pages there are.
    let (aggregator, batches) = new_aggregator(8);
    let recorder = aggregator.recorder(&"acme.example".into(), &FIRST.into());
    let many = 2 * agreements::MAX_ROWS + 10;
    (0..many).for_each(|_| agree(&recorder, 0));
    aggregator.flush();
    let batches: Vec<_> = batches.try_iter().collect();
    let rows: Vec<_> = batches.iter().map(|batch| batch.agreements.len()).collect();
    assert_eq!(rows, [agreements::MAX_ROWS, agreements::MAX_ROWS, 10]);

    // Batches are not received: the number of kept rows is limited, and the rest is counted as dropped.
    let (aggregator, _pages) = new_aggregator(0);
    let recorder = aggregator.recorder(&"acme.example".into(), &FIRST.into());
    let many = MAX_UNSENT_ROWS + 4 * agreements::MAX_ROWS;
    (0..many).for_each(|_| agree(&recorder, 0));
    agree(&recorder, 60);
    let unsent = take_unsent(&aggregator);
    let kept: usize = unsent.iter().map(|batch| batch.agreements.len()).sum();
    assert!((MAX_UNSENT_ROWS..=MAX_UNSENT_ROWS + agreements::MAX_ROWS).contains(&kept), "{kept}");
    aggregator.flush();
    let mut sums_of_all = Sums::default();
    for sums in sums(unsent.into_iter().chain(take_unsent(&aggregator))).into_values() {
        assert_eq!(sums.seen, sums.counted);
        sums_of_all.seen.add(sums.seen);
    }
    assert_eq!(sums_of_all.seen.agreements, many as u64 + 1);
}

fn take_unsent(aggregator: &Aggregator) -> VecDeque<Batch> {
    let builder = &mut aggregator.evidence.as_ref().unwrap().borrow_mut().builder;
    builder.unsent_rows = 0;
    std::mem::take(&mut builder.unsent)
}

/// A step of a random history.
#[derive(Clone, Debug)]
enum Step {
    Agree { tenant: usize, page: usize, event: AgreementEvent },
    Count { tenant: usize, name: usize, is_stripped: bool },
    Flush,
    Request { tenant: usize },
    Declare { number: usize },
    Take,
    Wait { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_usize, 0..40_usize, any::<bool>())
            .prop_map(|(tenant, name, is_stripped)| Step::Count { tenant, name, is_stripped }),
        2 => (0..3_usize).prop_map(|tenant| Step::Request { tenant }),
        2 => (0..3_usize, 0..3_usize, prop::sample::select(AgreementEvent::ALL.to_vec()))
            .prop_map(|(tenant, page, event)| Step::Agree { tenant, page, event }),
        1 => Just(Step::Flush),
        1 => (0..3_usize).prop_map(|number| Step::Declare { number }),
        1 => Just(Step::Take),
        1 => (0..100_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

proptest! {
    #[test]
    fn a1_batches_balance_in_each_window_and_add_up_to_the_counters(
        steps in prop::collection::vec(step(), 1..300),
        capacity in 0..3_usize,
    ) {
        let (aggregator, batches) = new_aggregator(capacity);
        let names = names(40);
        let recorder = |tenant: &usize, declaration: &str| {
            let tenant = ["a.example", "b.example", "c.example"][*tenant];
            aggregator.recorder(&tenant.into(), &declaration.into())
        };
        let (mut unix_s, mut taken) = (0, Vec::new());
        let mut declaration = "0".to_owned();
        let mut counted = BTreeMap::<String, u64>::new();
        let shown = ["a", "b", "c"].map(|html| Arc::new(ShownPage::new(html)));
        for step in steps {
            match step {
                Step::Count { tenant, name: number, is_stripped } => {
                    let action = if is_stripped { STRIP } else { Action::Keep };
                    count(&recorder(&tenant, &declaration), &names[number], action, unix_s);
                    *counted.entry(declaration.clone()).or_default() += 1;
                }
                Step::Agree { tenant, page, event } => {
                    recorder(&tenant, &declaration).count_agreement(event, &shown[page], unix_s);
                    *counted.entry(declaration.clone()).or_default() += 1;
                }
                Step::Flush => aggregator.flush(),
                Step::Request { tenant } => recorder(&tenant, &declaration).count_request(unix_s),
                Step::Declare { number } => declaration = number.to_string(),
                Step::Take => taken.extend(batches.try_iter()),
                Step::Wait { seconds } => unix_s += seconds,
            }
        }
        aggregator.flush();
        taken.extend(batches.try_iter());
        taken.extend(take_unsent(&aggregator));
        let windows = sums(taken);
        for (window, sums) in &windows {
            prop_assert_eq!(sums.seen, sums.counted, "{:?}", window);
        }
        let mut by_declaration = BTreeMap::<String, u64>::new();
        let all = |sums: &Sums| sums.seen.cookies() + sums.seen.agreements;
        for ((_, declaration), sums) in windows.iter().filter(|(_, sums)| all(sums) > 0) {
            *by_declaration.entry(declaration.to_string()).or_default() += all(sums);
        }
        prop_assert_eq!(by_declaration, counted, "each is counted under the declaration that judged it");
        let total = aggregator.counters.total();
        prop_assert_eq!(windows.values().map(|sums| sums.requests).sum::<u64>(), total.requests);
        prop_assert_eq!(
            windows.values().map(|sums| sums.seen.request).sum::<u64>(),
            total.seen(Direction::Request)
        );
        prop_assert_eq!(
            windows.values().map(|sums| sums.seen.agreements).sum::<u64>(),
            AgreementEvent::ALL.iter().map(|event| total.agreements(*event)).sum::<u64>()
        );
    }
}
