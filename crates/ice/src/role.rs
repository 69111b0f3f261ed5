//! The role and its conflicts: RFC 8445 §6.1.1, §7.3.1.1, §7.2.5.1.

use crate::event::Role;
use crate::message::PeerRole;

/// What a request's role attribute means for us (§7.3.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Conflict {
    /// The roles differ, as they should.
    None,
    /// We keep our role and answer 487.
    Reject,
    /// We switch and answer success.
    Switch,
}

/// Our role and tie-breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoleState {
    role: Role,
    tie_breaker: u64,
    /// The peer is lite: it cannot control and detects no conflict (§6.1.1).
    fixed: bool,
}

impl RoleState {
    pub(crate) fn new(role: Role, tie_breaker: u64) -> Self {
        Self { role, tie_breaker, fixed: false }
    }

    /// RFC 8445 §9: an ICE restart keeps the role, and with it the tie-breaker; whether the peer is lite it says anew (RFC 8839
    /// §4.4.1.1.1).
    pub(crate) fn successor(self) -> Self {
        Self { fixed: false, ..self }
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn is_controlling(&self) -> bool {
        self.role == Role::Controlling
    }

    /// What goes into our requests.
    pub(crate) fn attribute(&self) -> PeerRole {
        PeerRole::new(self.role, self.tie_breaker)
    }

    /// §6.1.1: with a lite peer the full agent is controlling. True if that changed the role.
    pub(crate) fn peer_is_lite(&mut self) -> bool {
        self.fixed = true;
        let changed = self.role == Role::Controlled;
        self.role = Role::Controlling;
        changed
    }

    /// §7.3.1.1. The tie-breaker stays when the server side switches.
    pub(crate) fn judge(&self, peer: PeerRole) -> Conflict {
        match (self.role, peer) {
            (Role::Controlling, PeerRole::Controlled(_)) | (Role::Controlled, PeerRole::Controlling(_)) => {
                Conflict::None
            }
            _ if self.fixed => Conflict::Reject,
            (Role::Controlling, PeerRole::Controlling(theirs)) => {
                if self.tie_breaker >= theirs {
                    Conflict::Reject
                } else {
                    Conflict::Switch
                }
            }
            (Role::Controlled, PeerRole::Controlled(theirs)) => {
                if self.tie_breaker >= theirs {
                    Conflict::Switch
                } else {
                    Conflict::Reject
                }
            }
        }
    }

    pub(crate) fn switch(&mut self) {
        self.role = self.role.opposite();
    }

    /// §7.2.5.1: a 487 to a request that carried `sent`. Takes the opposite role with a new tie-breaker; false if that is
    /// our role by now already.
    pub(crate) fn rejected(&mut self, sent: Role, new_tie_breaker: u64) -> bool {
        if self.fixed || self.role != sent {
            return false;
        }
        self.role = sent.opposite();
        self.tie_breaker = new_tie_breaker;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_tie_breaker_controls_and_a_draw_goes_to_the_one_that_was_asked() {
        let controlling = RoleState::new(Role::Controlling, 10);
        assert_eq!(controlling.judge(PeerRole::Controlling(9)), Conflict::Reject);
        assert_eq!(controlling.judge(PeerRole::Controlling(10)), Conflict::Reject);
        assert_eq!(controlling.judge(PeerRole::Controlling(11)), Conflict::Switch);
        assert_eq!(controlling.judge(PeerRole::Controlled(11)), Conflict::None);
        let controlled = RoleState::new(Role::Controlled, 10);
        assert_eq!(controlled.judge(PeerRole::Controlled(9)), Conflict::Switch);
        assert_eq!(controlled.judge(PeerRole::Controlled(10)), Conflict::Switch);
        assert_eq!(controlled.judge(PeerRole::Controlled(11)), Conflict::Reject);
        assert_eq!(controlled.judge(PeerRole::Controlling(11)), Conflict::None);
    }

    #[test]
    fn a_switch_on_the_server_side_keeps_the_tie_breaker() {
        let mut role = RoleState::new(Role::Controlling, 10);
        role.switch();
        assert_eq!(role.attribute(), PeerRole::Controlled(10));
    }

    #[test]
    fn a_487_switches_once_and_draws_a_new_tie_breaker() {
        let mut role = RoleState::new(Role::Controlling, 10);
        assert!(role.rejected(Role::Controlling, 77));
        assert_eq!(role.attribute(), PeerRole::Controlled(77));
        assert!(!role.rejected(Role::Controlling, 78), "already switched");
        assert_eq!(role.attribute(), PeerRole::Controlled(77));
    }

    #[test]
    fn a_restart_keeps_role_and_tie_breaker_and_forgets_that_the_peer_was_lite() {
        let mut role = RoleState::new(Role::Controlled, 7);
        assert!(role.peer_is_lite());
        let role = role.successor();
        assert_eq!(role.attribute(), PeerRole::Controlling(7));
        assert_eq!(role.judge(PeerRole::Controlling(8)), Conflict::Switch);
    }

    #[test]
    fn against_a_lite_peer_the_role_is_controlling_for_good() {
        let mut role = RoleState::new(Role::Controlled, 1);
        assert!(role.peer_is_lite());
        assert!(!role.peer_is_lite());
        assert_eq!(role.judge(PeerRole::Controlling(u64::MAX)), Conflict::Reject);
        assert!(!role.rejected(Role::Controlling, 5));
        assert!(role.is_controlling());
    }
}
