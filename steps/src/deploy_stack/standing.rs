//! What to do about a stack, from how it stands and whose it is: one pure function, and the words of stack states.
//! Knows nothing of AWS clients. Not copied from the SDK's waiter, which counts a rolled-back update as success.

/// How a stack stands, from its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none of this name (or it is deleted).
    Absent,
    /// An empty shell: a change set of type CREATE that nobody executed.
    Shell,
    /// An operation is going on.
    Busy,
    /// It can be updated.
    Good,
    /// It was never created: it can only be deleted.
    NeverCreated,
    /// A rollback of an update got stuck.
    RollbackStuck,
    /// A deletion got stuck.
    DeleteStuck,
    /// A status that this version of hprun does not know.
    Unknown,
}

/// Whose a stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// This run and step made it.
    Made,
    /// It was there, and the step says `adopt: true`.
    Adopted,
    /// Somebody else's.
    Foreign,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Create it.
    Create,
    /// Delete it, then create it: announced first.
    Recreate,
    /// Our own operation is going on: its end is ours.
    Attach,
    /// Somebody's operation is going on: wait for its end and look again.
    WaitAndLook,
    /// Bring it to what the inputs say, through a change set.
    Update,
    /// Let a stuck rollback go on, then look again.
    ContinueRollback,
    /// Nothing may be done: it is not ours.
    RefuseForeign,
    /// Nothing can be done with a stack in this state that this run did not make.
    RefuseState,
}

/// How a stack of this status stands (AWS API reference, `StackStatus`: 23 values).
pub fn standing(status: Option<&str>) -> Standing {
    match status {
        None | Some("DELETE_COMPLETE") => Standing::Absent,
        Some("REVIEW_IN_PROGRESS") => Standing::Shell,
        Some(
            "CREATE_COMPLETE"
            | "UPDATE_COMPLETE"
            | "IMPORT_COMPLETE"
            | "UPDATE_ROLLBACK_COMPLETE"
            | "IMPORT_ROLLBACK_COMPLETE"
            | "UPDATE_FAILED",
        ) => Standing::Good,
        Some("CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED") => Standing::NeverCreated,
        Some("UPDATE_ROLLBACK_FAILED") => Standing::RollbackStuck,
        Some("DELETE_FAILED") => Standing::DeleteStuck,
        Some(busy) if busy.ends_with("_IN_PROGRESS") => Standing::Busy,
        Some(_) => Standing::Unknown,
    }
}

/// The table of facts part E: what follows from the standing, the owner, and whether the operation that is going on
/// carries a token of ours.
pub fn next_move(standing: Standing, whose: Whose, our_operation: bool) -> Move {
    match (standing, whose) {
        (Standing::Absent, _) => Move::Create,
        (_, Whose::Foreign) => Move::RefuseForeign,
        (Standing::Busy, Whose::Made | Whose::Adopted) => {
            if our_operation {
                Move::Attach
            } else {
                Move::WaitAndLook
            }
        }
        (Standing::Good, Whose::Made | Whose::Adopted) => Move::Update,
        (Standing::RollbackStuck, Whose::Made | Whose::Adopted) => Move::ContinueRollback,
        (Standing::Shell | Standing::NeverCreated | Standing::DeleteStuck, Whose::Made) => Move::Recreate,
        (Standing::Shell | Standing::NeverCreated | Standing::DeleteStuck, Whose::Adopted) => Move::RefuseState,
        (Standing::Unknown, Whose::Made | Whose::Adopted) => Move::RefuseState,
    }
}

/// Whether the operation that ended with this status did what it was asked for: a rollback did not.
pub fn succeeded(status: &str) -> bool {
    matches!(status, "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_leads_to_one_move() {
        use Move::{Attach, ContinueRollback, Create, Recreate, RefuseForeign, RefuseState, Update, WaitAndLook};
        let table: [(Option<&str>, [Move; 4]); 27] = [
            // status                                     made, made + our token, adopted, foreign
            (None, [Create, Create, Create, Create]),
            (Some("CREATE_IN_PROGRESS"), [WaitAndLook, Attach, WaitAndLook, RefuseForeign]),
            (Some("CREATE_FAILED"), [Recreate, Recreate, RefuseState, RefuseForeign]),
            (Some("CREATE_COMPLETE"), [Update, Update, Update, RefuseForeign]),
            (Some("ROLLBACK_IN_PROGRESS"), [WaitAndLook, Attach, WaitAndLook, RefuseForeign]),
            (Some("ROLLBACK_FAILED"), [Recreate, Recreate, RefuseState, RefuseForeign]),
            (Some("ROLLBACK_COMPLETE"), [Recreate, Recreate, RefuseState, RefuseForeign]),
            (Some("DELETE_IN_PROGRESS"), [WaitAndLook, Attach, WaitAndLook, RefuseForeign]),
            (Some("DELETE_FAILED"), [Recreate, Recreate, RefuseState, RefuseForeign]),
            (Some("DELETE_COMPLETE"), [Create, Create, Create, Create]),
            (Some("UPDATE_IN_PROGRESS"), [WaitAndLook, Attach, WaitAndLook, RefuseForeign]),
            (Some("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), [WaitAndLook, Attach, WaitAndLook, RefuseForeign]),
            (Some("UPDATE_COMPLETE"), [Update, Update, Update, RefuseForeign]),
            (Some("UPDATE_FAILED"), [Update, Update, Update, RefuseForeign]),
            (Some("UPDATE_ROLLBACK_IN_PROGRESS"), [WaitAndLook, Attach, WaitAndLook, RefuseForeign]),
            (Some("UPDATE_ROLLBACK_FAILED"), [ContinueRollback, ContinueRollback, ContinueRollback, RefuseForeign]),
            (Some("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"), [WaitAndLook, Attach, WaitAndLook, RefuseForeign]),
            (Some("UPDATE_ROLLBACK_COMPLETE"), [Update, Update, Update, RefuseForeign]),
            (Some("REVIEW_IN_PROGRESS"), [Recreate, Recreate, RefuseState, RefuseForeign]),
            (Some("IMPORT_IN_PROGRESS"), [WaitAndLook, Attach, WaitAndLook, RefuseForeign]),
            (Some("IMPORT_COMPLETE"), [Update, Update, Update, RefuseForeign]),
            (Some("IMPORT_ROLLBACK_IN_PROGRESS"), [WaitAndLook, Attach, WaitAndLook, RefuseForeign]),
            (Some("IMPORT_ROLLBACK_FAILED"), [RefuseState, RefuseState, RefuseState, RefuseForeign]),
            (Some("IMPORT_ROLLBACK_COMPLETE"), [Update, Update, Update, RefuseForeign]),
            (Some("SOMETHING_NEW"), [RefuseState, RefuseState, RefuseState, RefuseForeign]),
            (Some("SOMETHING_NEW_IN_PROGRESS"), [WaitAndLook, Attach, WaitAndLook, RefuseForeign]),
            (Some(""), [RefuseState, RefuseState, RefuseState, RefuseForeign]),
        ];
        for (status, expected) in table {
            let at = |whose, ours| next_move(standing(status), whose, ours);
            let moves =
                [at(Whose::Made, false), at(Whose::Made, true), at(Whose::Adopted, false), at(Whose::Foreign, false)];
            assert_eq!(moves, expected, "{status:?}");
        }
    }

    #[test]
    fn a_rollback_is_no_success() {
        assert!(succeeded("UPDATE_COMPLETE") && !succeeded("UPDATE_ROLLBACK_COMPLETE"));
    }
}
