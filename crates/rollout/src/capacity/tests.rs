//! The arithmetic, exhaustively over small sizes.
use super::*;

#[test]
fn need_is_the_least_count_that_carries_the_share() {
    for floor in 0..=12u16 {
        for share in (0..=FULL).step_by(7) {
            let n = need(share, floor);
            assert_eq!(share == 0, n == 0, "a share needs an instance, no share needs none");
            assert!(u32::from(n) * u32::from(FULL) >= u32::from(share) * u32::from(floor));
            if n > 1 {
                assert!(
                    u32::from(n - 1) * u32::from(FULL) < u32::from(share) * u32::from(floor),
                    "one fewer is too few"
                );
            }
        }
    }
}

#[test]
fn can_carry_is_the_inverse_of_need() {
    for floor in 1..=12u16 {
        for count in 0..=14u16 {
            let share = can_carry(count, floor);
            assert!(need(share, floor) <= count);
            assert!(share == FULL || need(share + 1, floor) > count);
        }
    }
}

#[test]
fn what_is_carried_is_served_whole() {
    for floor in 0..=4u16 {
        for a in 0..=5u16 {
            for b in 0..=5u16 {
                for split in splits() {
                    let whole = served(split, [a, b], floor) == u32::from(FULL) * 100;
                    if carries(split, [a, b], floor) && split != Split::Members([0, 0]) {
                        assert!(whole, "{split:?} {a} {b} floor {floor}");
                    }
                    if whole && floor > 0 {
                        assert!(carries(split, [a, b], floor), "{split:?} {a} {b} floor {floor}");
                    }
                }
            }
        }
    }
}

#[test]
fn more_instances_never_serve_less() {
    for floor in 0..=4u16 {
        for split in splits() {
            for a in 0..=4u16 {
                for b in 0..=4u16 {
                    let now = served(split, [a, b], floor);
                    assert!(served(split, [a + 1, b], floor) >= now);
                    assert!(served(split, [a, b + 1], floor) >= now);
                }
            }
        }
    }
}

#[test]
fn surplus_and_staleness_do_not_count() {
    let set = |desired, total, ready, fresh| SetSeen { desired, total, ready, fresh, ..SetSeen::EMPTY };
    assert_eq!(usable_of(&set(2, 2, 2, true)), 2);
    assert_eq!(usable_of(&set(1, 3, 3, true)), 1, "two of three are going, and nobody knows which");
    assert_eq!(usable_of(&set(1, 3, 2, true)), 0);
    assert_eq!(usable_of(&set(2, 2, 2, false)), 0, "unknown is not ready");
}

fn splits() -> impl Iterator<Item = Split> {
    let weighted = [0, 1, 500, 2_500, 5_000, 9_999, FULL].into_iter().map(|s| Split::share_to(1, s));
    let members = (0..=4).flat_map(|a| (0..=4).map(move |b| Split::Members([a, b])));
    weighted.chain(members)
}
