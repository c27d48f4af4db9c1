//! Every way in which two uploaders, a sweeper and their crashes can get in each other's way, tried.
//!
//! The bucket and the database share no transaction, so the order of steps is all there is. Here the order is a small
//! machine, and all its states are visited: after each step of anybody, anybody may be next, any process may die, and
//! an upload that was sent may arrive long after its sender is gone. Two things must never be:
//!
//! - **lost**: a row that somebody refers to, without its object;
//! - **orphaned**: an object of which nobody will ever know, because no row speaks of it and nobody is at work.
//!
//! And one thing must stay possible, from every state: to get to where an object is there exactly if somebody
//! refers to it. The simple orders, which others use, fail; the tests show how.

use std::collections::{HashMap, HashSet, VecDeque};

/// The order of steps, and what the sweeper does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    /// The object, then the row. There is nothing that a sweeper could go by.
    ObjectFirst,
    /// A pending row, the object, the commit. The sweeper deletes the object, then the row.
    PlainSweeper,
    /// As `PlainSweeper`, but it first cancels the upload session, which the row knows.
    CancelledSession,
    /// Ours. As `PlainSweeper`, but the row stays as a tombstone, and the object is deleted again when every upload has ended. While
    /// it stands, nobody can begin the same blob again.
    Tombstone,
    /// Both: large uploads go from the browser to the bucket, past us.
    CancelledSessionAndTombstone,
    /// The tombstone, but a row comes to refer to the blob after a look at its state, not in one step with it: what a
    /// foreign key alone does.
    LinkedAfterALook,
}

impl Order {
    fn cancels(self) -> bool {
        matches!(
            self,
            Self::CancelledSession | Self::CancelledSessionAndTombstone
        )
    }

    fn keeps_tombstone(self) -> bool {
        matches!(
            self,
            Self::Tombstone | Self::CancelledSessionAndTombstone | Self::LinkedAfterALook
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Row {
    None,
    Pending,
    Committed,
    Deleting,
    Tombstone,
}

/// What an uploader does next. Both upload the same blob: the second is the first one's caller trying again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Uploader {
    Begin,
    Send,
    AwaitAnswer,
    Commit,
    Link,
    LinkAfterLook,
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Sweeper {
    Idle,
    Cancel,
    Delete,
    Mark,
    DeleteAgain,
    Purge,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct State {
    row: Row,
    /// A row refers to the blob.
    linked: bool,
    object: bool,
    uploaders: [Uploader; 2],
    /// Sent, and not arrived: the sender may be gone.
    in_flight: [bool; 2],
    sweeper: Sweeper,
}

impl State {
    fn first(order: Order) -> Self {
        let begin = match order {
            Order::ObjectFirst => Uploader::Send,
            _ => Uploader::Begin,
        };
        Self {
            row: Row::None,
            linked: false,
            object: false,
            uploaders: [begin; 2],
            in_flight: [false; 2],
            sweeper: Sweeper::Idle,
        }
    }

    fn is_lost(self) -> bool {
        self.linked && !self.object
    }

    fn everybody_is_gone(self) -> bool {
        self.uploaders == [Uploader::Gone; 2] && self.in_flight == [false; 2]
    }

    fn is_orphaned(self) -> bool {
        self.object && self.row == Row::None && self.everybody_is_gone()
    }

    fn is_clean(self) -> bool {
        self.everybody_is_gone()
            && self.object == self.linked
            && (self.row == Row::Committed) == self.linked
    }

    /// Everything that can happen next, with its name.
    fn successors(self, order: Order) -> Vec<(String, Self)> {
        let mut all = Vec::new();
        for who in 0..2 {
            self.upload(order, who, &mut all);
        }
        if order != Order::ObjectFirst {
            self.sweep(order, &mut all);
        }
        all
    }

    fn upload(self, order: Order, who: usize, all: &mut Vec<(String, Self)>) {
        let mut step = |what: &str, change: &dyn Fn(&mut Self)| {
            let mut next = self;
            change(&mut next);
            all.push((
                format!(
                    "uploader {who}{}{what}",
                    if what.starts_with('\'') { "" } else { " " }
                ),
                next,
            ));
        };
        let go = |next: Uploader| move |state: &mut Self| state.uploaders[who] = next;

        // What was sent arrives, or not; the first to arrive makes the object (ifGenerationMatch=0).
        if self.in_flight[who] {
            step("'s bytes arrive", &|state| {
                state.in_flight[who] = false;
                state.object = true;
            });
            step("'s bytes are lost", &|state| state.in_flight[who] = false);
        }
        match self.uploaders[who] {
            Uploader::Gone => return,
            Uploader::Begin => match self.row {
                Row::None => step("writes the row", &|state| {
                    state.row = Row::Pending;
                    state.uploaders[who] = Uploader::Send;
                }),
                Row::Pending | Row::Committed => step("finds the row", &go(Uploader::Send)),
                Row::Deleting | Row::Tombstone => step("is refused", &go(Uploader::Gone)),
            },
            // A session that the sweeper can cancel is one that was written into a row before its sweep began.
            Uploader::Send
                if order.cancels()
                    && matches!(self.row, Row::Deleting | Row::Tombstone | Row::None) =>
            {
                step("is refused a session", &go(Uploader::Gone));
            }
            Uploader::Send => step("sends", &|state| {
                state.in_flight[who] = true;
                state.uploaders[who] = Uploader::AwaitAnswer;
            }),
            // 200, or 412 and a look: the object is there. Or an error, and the upload has failed.
            Uploader::AwaitAnswer if !self.in_flight[who] => {
                let next = if self.object {
                    Uploader::Commit
                } else {
                    Uploader::Gone
                };
                step("gets its answer", &go(next));
            }
            Uploader::AwaitAnswer => {}
            Uploader::Commit if order == Order::ObjectFirst => {
                step("writes row and link", &|state| {
                    state.row = Row::Committed;
                    state.linked = true;
                    state.uploaders[who] = Uploader::Gone;
                });
            }
            Uploader::Commit => match self.row {
                Row::Pending | Row::Committed => step("commits", &|state| {
                    state.row = Row::Committed;
                    state.uploaders[who] = Uploader::Link;
                }),
                _ => step("comes too late", &go(Uploader::Gone)),
            },
            Uploader::Link => match (self.row, order) {
                (Row::Committed, Order::LinkedAfterALook) => {
                    step("looks", &go(Uploader::LinkAfterLook));
                }
                (Row::Committed, _) => step("links", &|state| {
                    state.linked = true;
                    state.uploaders[who] = Uploader::Gone;
                }),
                _ => step("comes too late to link", &go(Uploader::Gone)),
            },
            // The foreign key is content with any row, whatever its state is by now.
            Uploader::LinkAfterLook if self.row != Row::None => step("links", &|state| {
                state.linked = true;
                state.uploaders[who] = Uploader::Gone;
            }),
            Uploader::LinkAfterLook => step("violates the foreign key", &go(Uploader::Gone)),
        }
        step("dies", &go(Uploader::Gone));
    }

    fn sweep(self, order: Order, all: &mut Vec<(String, Self)>) {
        let mut step = |what: &str, change: &dyn Fn(&mut Self)| {
            let mut next = self;
            change(&mut next);
            all.push((format!("sweeper {what}"), next));
        };
        let go = |next: Sweeper| move |state: &mut Self| state.sweeper = next;
        match self.sweeper {
            Sweeper::Idle => {
                let dead = match self.row {
                    // Time may have passed at any moment.
                    Row::Pending | Row::Deleting => true,
                    Row::Committed => !self.linked,
                    Row::None | Row::Tombstone => false,
                };
                if dead {
                    step("claims", &|state| {
                        state.row = Row::Deleting;
                        state.sweeper = if order.cancels() {
                            Sweeper::Cancel
                        } else {
                            Sweeper::Delete
                        };
                    });
                }
                // Eight days later: no upload session, and no process that began before, lives that long.
                let over = self.in_flight == [false; 2]
                    && self
                        .uploaders
                        .iter()
                        .all(|uploader| matches!(uploader, Uploader::Gone | Uploader::Begin));
                if self.row == Row::Tombstone && over {
                    step("looks at the tombstone", &go(Sweeper::DeleteAgain));
                }
                return;
            }
            Sweeper::Cancel => step("cancels the session", &|state| {
                state.in_flight = [false; 2];
                state.sweeper = Sweeper::Delete;
            }),
            Sweeper::Delete => step("deletes the object", &|state| {
                state.object = false;
                state.sweeper = Sweeper::Mark;
            }),
            Sweeper::Mark => step("marks the row", &|state| {
                state.row = if order.keeps_tombstone() {
                    Row::Tombstone
                } else {
                    Row::None
                };
                state.sweeper = Sweeper::Idle;
            }),
            Sweeper::DeleteAgain => step("deletes the object again", &|state| {
                state.object = false;
                state.sweeper = Sweeper::Purge;
            }),
            Sweeper::Purge => step("removes the row", &|state| {
                state.row = Row::None;
                state.sweeper = Sweeper::Idle;
            }),
        }
        // Its successor begins with what the row says.
        step("dies", &go(Sweeper::Idle));
    }
}

/// What was found: how many states there are, and the shortest way to something that must not be.
struct Explored {
    states: usize,
    lost: Option<String>,
    orphaned: Option<String>,
    stuck: Option<String>,
}

fn explore(order: Order) -> Explored {
    let first = State::first(order);
    let mut came_from: HashMap<State, Option<(State, String)>> = HashMap::from([(first, None)]);
    let mut before: HashMap<State, Vec<State>> = HashMap::new();
    let mut waiting = VecDeque::from([first]);
    let mut visited = Vec::new();
    while let Some(state) = waiting.pop_front() {
        visited.push(state);
        for (what, next) in state.successors(order) {
            before.entry(next).or_default().push(state);
            came_from.entry(next).or_insert_with(|| {
                waiting.push_back(next);
                Some((state, what))
            });
        }
    }
    let way_to = |state: &State| {
        let mut steps = Vec::new();
        let mut at = *state;
        while let Some((previous, what)) = &came_from[&at] {
            steps.push(what.as_str());
            at = *previous;
        }
        steps.reverse();
        format!("{} => {state:?}", steps.join(", "))
    };
    // Backwards from all clean states: whoever is not met cannot get clean any more.
    let mut waiting: Vec<State> = visited
        .iter()
        .copied()
        .filter(|state| state.is_clean())
        .collect();
    let mut can_get_clean: HashSet<State> = waiting.iter().copied().collect();
    while let Some(state) = waiting.pop() {
        for previous in before.get(&state).into_iter().flatten() {
            if can_get_clean.insert(*previous) {
                waiting.push(*previous);
            }
        }
    }
    Explored {
        states: visited.len(),
        lost: visited.iter().find(|state| state.is_lost()).map(way_to),
        orphaned: visited.iter().find(|state| state.is_orphaned()).map(way_to),
        stuck: visited
            .iter()
            .find(|state| !can_get_clean.contains(state))
            .map(way_to),
    }
}

fn assert_safe(order: Order) {
    let found = explore(order);
    // A model that goes nowhere would be safe too.
    assert!(found.states > 200, "{order:?}: {} states", found.states);
    assert_eq!(
        (found.lost, found.orphaned, found.stuck),
        (None, None, None),
        "{order:?}"
    );
}

#[test]
fn the_object_first_leaves_orphans_for_ever() {
    let found = explore(Order::ObjectFirst);
    let way = found.orphaned.unwrap();
    assert!(
        way.contains("bytes arrive") && way.contains("dies"),
        "{way}"
    );
    assert_eq!(found.lost, None);
}

#[test]
fn the_row_first_still_does_when_bytes_arrive_after_the_sweeper() {
    let found = explore(Order::PlainSweeper);
    let way = found.orphaned.unwrap();
    let (deleted, arrived) = (
        way.rfind("deletes the object").unwrap(),
        way.rfind("bytes arrive").unwrap(),
    );
    assert!(deleted < arrived, "{way}");
    assert!(found.stuck.is_some());
}

#[test]
fn cancelling_the_upload_leaves_no_orphan_but_loses_a_blob_whose_id_is_used_again() {
    let found = explore(Order::CancelledSession);
    assert_eq!(found.orphaned, None);
    // The row is gone, a second try makes it anew, and the first commits what the sweeper has deleted.
    let way = found.lost.unwrap();
    let (rows, marked) = (
        way.matches("writes the row").count(),
        way.find("marks the row").unwrap(),
    );
    assert!(
        rows == 2 && marked < way.rfind("writes the row").unwrap(),
        "{way}"
    );
}

#[test]
fn deleting_again_when_all_uploads_have_ended_leaves_nothing() {
    assert_safe(Order::Tombstone);
    assert_safe(Order::CancelledSessionAndTombstone);
}

#[test]
fn a_look_before_the_link_loses_what_was_linked() {
    let found = explore(Order::LinkedAfterALook);
    let way = found.lost.unwrap();
    let (looked, claimed) = (way.rfind("looks").unwrap(), way.rfind("claims").unwrap());
    assert!(looked < claimed, "{way}");
}
