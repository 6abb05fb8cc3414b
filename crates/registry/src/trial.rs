//! [`Trials`]: what a registry and its token server have said to each login.
//!
//! A login that is refused again and again locks its account. So one request tries a login that nothing is known
//! about, and the others wait for what becomes of it: after an acceptance they send theirs side by side, after a
//! refusal they go on without.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::credential::Credential;
use super::failure::Failure;

/// Refusals in a row of a login that was accepted before, after which it is one that has ended, and not one that may
/// not read some repositories.
const REFUSALS: usize = 3;

/// The logins of one registry.
#[derive(Debug, Default)]
pub(super) struct Trials(Mutex<Vec<Arc<Trial>>>);

/// One login at one registry.
#[derive(Debug)]
struct Trial {
    credential: Credential,
    /// Held by the request that tries it.
    turn: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    login: LoginState,
    /// Scopes or repositories that it was refused for, and what was said where that says more than the answer without it.
    refused: HashMap<String, Option<Failure>>,
    /// Since it was accepted last.
    refusals: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LoginState {
    #[default]
    Untried,
    Accepted,
    Refused,
}

/// The right to send a login. Whoever has it says what became of it, or nothing where that is not known.
#[derive(Debug)]
pub(super) struct Turn {
    trial: Arc<Trial>,
    scope: String,
    /// Of the one that tries it: the others wait until this is dropped.
    _alone: Option<OwnedMutexGuard<()>>,
}

impl Trials {
    /// Waits until a login may be sent for a scope; `None` when it was refused.
    pub(super) async fn enter(&self, credential: &Credential, scope: &str) -> Option<Turn> {
        let trial = self.of(credential);
        let turn = |alone| Some(Turn { trial: Arc::clone(&trial), scope: scope.to_owned(), _alone: alone });
        match trial.login(scope) {
            LoginState::Refused => return None,
            LoginState::Accepted => return turn(None),
            LoginState::Untried => {}
        }
        let alone = Arc::clone(&trial.turn).lock_owned().await;
        match trial.login(scope) {
            LoginState::Refused => None,
            LoginState::Accepted => turn(None),
            LoginState::Untried => turn(Some(alone)),
        }
    }

    /// Is it known that a login is refused for a scope?
    pub(super) fn is_refused(&self, credential: &Credential, scope: &str) -> bool {
        self.of(credential).login(scope) == LoginState::Refused
    }

    /// What was said when a login was refused for a scope.
    pub(super) fn refusal(&self, credential: &Credential, scope: &str) -> Option<Failure> {
        self.of(credential).state().refused.get(scope).cloned().flatten()
    }

    /// A scope for which a login is of no use.
    pub(super) fn refuse(&self, credential: &Credential, scope: &str) {
        self.of(credential).state().refused.insert(scope.to_owned(), None);
    }

    fn of(&self, credential: &Credential) -> Arc<Trial> {
        let mut trials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trial) = trials.iter().find(|trial| trial.credential == *credential) {
            return Arc::clone(trial);
        }
        let trial =
            Arc::new(Trial { credential: credential.clone(), turn: Arc::default(), state: Mutex::default() });
        trials.push(Arc::clone(&trial));
        trial
    }
}

impl Trial {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn login(&self, scope: &str) -> LoginState {
        let state = self.state();
        if state.refused.contains_key(scope) { LoginState::Refused } else { state.login }
    }
}

impl Turn {
    /// The server took the login, whatever it answered.
    pub(super) fn accepted(self) {
        let mut state = self.trial.state();
        if state.login != LoginState::Refused {
            state.login = LoginState::Accepted;
            state.refusals = 0;
        }
    }

    /// The server did not take it. Where it was taken before, the next one tries it alone again.
    pub(super) fn refused(self, said: Option<&Failure>) {
        let mut state = self.trial.state();
        state.refused.insert(self.scope.clone(), said.cloned());
        state.refusals += 1;
        let was_accepted = state.login == LoginState::Accepted || state.refusals > 1;
        state.login =
            if was_accepted && state.refusals < REFUSALS { LoginState::Untried } else { LoginState::Refused };
    }

    /// The server did not take it for this scope, and may for others.
    pub(super) fn refused_here(self, said: &Failure) {
        self.trial.state().refused.insert(self.scope.clone(), Some(said.clone()));
        self.accepted();
    }
}
