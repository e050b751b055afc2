//! Signing in with a second factor, and turning one on and off.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use super::tickets;
use super::{Counted, SecondFactor, SecondFactors, TotpSecret, cleaned};
use crate::app::access::SecondFactorCard;
use crate::app::audit::Action;
use crate::dashboard::UserId;
use crate::server::access::directory::{Account, ChangeError};
use crate::server::access::sessions::SessionHash;
use crate::server::access::throttle::GuessTarget;
use crate::server::access::{Access, AccessError, Requester, SignedIn};
use crate::server::clock::now_ms;
use crate::server::store::StoreError;

/// What the right password comes to.
pub enum Admission {
    /// A session, with the token for its cookie.
    Session(String, Box<SignedIn>),
    /// The account has a second factor: a ticket with which a code opens a session.
    CodeNeeded(String),
}

impl Access {
    /// The same, with whether everybody who has a password needs a second factor.
    pub fn with_second_factor_required(self, is_required: bool) -> Self {
        self.second_factors().is_required = is_required;
        self
    }

    /// Whether somebody has to set a second factor up before anything else. Whoever signed in elsewhere is asked for
    /// one there.
    pub fn must_set_up(&self, who: &SignedIn) -> bool {
        let factors = self.second_factors();
        factors.is_required
            && who.account.password.is_some()
            && who.session.issuer.is_none()
            && !factors.by_account.contains_key(&who.account.id)
    }

    /// Whether an account has a second factor.
    pub fn has_second_factor(&self, account: &UserId) -> bool {
        self.second_factors().by_account.contains_key(account)
    }

    /// The second factor of an account, as pages show it.
    pub fn second_factor_card(&self, account: &UserId) -> SecondFactorCard {
        let factors = self.second_factors();
        let factor = factors.by_account.get(account);
        SecondFactorCard {
            since: factor.map(|factor| factor.confirmed_at),
            recovery_codes: factor.map_or(0, |factor| factor.recovery.len()),
            is_required: factors.is_required,
        }
    }

    /// Opens a session of an account whose password was right, or asks for a code.
    pub(in crate::server::access) async fn admit(
        &self,
        account: Account,
        from: &Requester,
    ) -> Result<Admission, AccessError> {
        if self.has_second_factor(&account.id) {
            let ticket = self.second_factors().tickets.issue(&account, self.ticks());
            return Ok(Admission::CodeNeeded(ticket));
        }
        // Whoever has stolen the password would set an app of their own up.
        let is_elsewhere = self.directory().identities_of(&account.id).next().is_some();
        if is_elsewhere && self.second_factors().is_required {
            return Err(AccessError::NoFactorYet);
        }
        let (token, signed_in) = self.open_session(account, from).await?;
        Ok(Admission::Session(token, Box::new(signed_in)))
    }

    /// The account of a ticket. Errors with `SignInOver` for one that is not valid, or not any more.
    pub fn account_of_ticket(&self, ticket: &str) -> Result<Account, AccessError> {
        let account = tickets::account_of(ticket).and_then(|id| self.directory().account(&id).cloned());
        let account = account.filter(|account| account.disabled_at.is_none());
        let account = account.ok_or(AccessError::SignInOver)?;
        let factors = self.second_factors();
        let is_valid = factors.tickets.is_valid(ticket, &account, self.ticks());
        let counts = is_valid && factors.by_account.contains_key(&account.id);
        if counts { Ok(account) } else { Err(AccessError::SignInOver) }
    }

    /// Signs somebody in who has a ticket, by a code of their app or a recovery code.
    pub async fn sign_in_with_code(
        &self,
        ticket: &str,
        code: &str,
        from: &Requester,
    ) -> Result<(String, SignedIn), AccessError> {
        let account = self.account_of_ticket(ticket)?;
        self.use_code(&account, code, from).await?;
        self.open_session(account, from).await
    }

    /// The key that a session is shown to set an app up: the same until it is confirmed.
    pub fn setup_secret(&self, session: &SessionHash) -> TotpSecret {
        let mut factors = self.second_factors();
        if let Some(secret) = factors.setups.get(session) {
            return secret.clone();
        }
        let secret = TotpSecret::generate();
        factors.setups.insert(*session, secret.clone());
        secret
    }

    /// Makes the app that was set up the second factor of an account, in place of any other, of which a code is needed
    /// too. Ends all other sessions.
    ///
    /// The recovery codes, which are shown once; and where the account had to do this before anything else, a new session.
    pub async fn turn_on_second_factor(
        &self,
        who: &SignedIn,
        SetUp { password, before, code }: SetUp,
        from: &Requester,
    ) -> Result<(Vec<String>, Option<(String, SignedIn)>), AccessError> {
        let secret = self.second_factors().setups.get(&who.session.hash).cloned();
        let secret = secret.ok_or(AccessError::SetUpOver)?;
        // Whoever types it was shown the key: it tells nothing that a guess could find.
        let step = secret.step_of(&cleaned(&code), now_ms() / 1_000).ok_or(AccessError::WrongNewCode)?;
        let account = self.confirm_password(who, password, from).await?;
        let known = self.second_factors().by_account.get(&account.id).cloned();
        if known.is_some() {
            self.use_code(&account, &before, from).await?;
        }
        let (factor, codes) = SecondFactor {
            account: account.id.clone(),
            secret,
            confirmed_at: now_ms(),
            last_step: step,
            recovery: BTreeSet::new(),
        }
        .with_new_recovery_codes();
        let had_to = self.must_set_up(who);
        self.change_second_factor(&account.id, |now| {
            let is_as_read = now.map(|now| &now.secret) == known.as_ref().map(|known| &known.secret);
            if is_as_read { Ok((factor, ())) } else { Err(AccessError::SetUpOver) }
        })
        .await?;
        self.second_factors().setups.remove(&who.session.hash);
        self.record(vec![from.did(Action::SecondFactorOn, &account)]).await;
        // They were opened with the password alone, or with an app that is gone.
        let stays = if had_to { None } else { Some(&who.session.hash) };
        self.end_sessions(&account.id, stays).await?;
        // More is allowed from here on: what was known before of the session's token opens none of it.
        let opened = if had_to { Some(self.open_session(account, from).await?) } else { None };
        Ok((codes, opened))
    }

    /// Goes back to the password alone.
    pub async fn turn_off_second_factor(
        &self,
        who: &SignedIn,
        Proof { password, code }: Proof,
        from: &Requester,
    ) -> Result<(), AccessError> {
        if self.second_factors().is_required {
            return Err(AccessError::SecondFactorRequired);
        }
        let account = self.confirm_password(who, password, from).await?;
        self.use_code(&account, &code, from).await?;
        self.remove_second_factor(&account.id).await?;
        self.record(vec![from.did(Action::SecondFactorOff, &account)]).await;
        Ok(())
    }

    /// Makes new recovery codes, in place of those of before. They are shown once.
    pub async fn renew_recovery_codes(
        &self,
        who: &SignedIn,
        Proof { password, code }: Proof,
        from: &Requester,
    ) -> Result<Vec<String>, AccessError> {
        let account = self.confirm_password(who, password, from).await?;
        self.use_code(&account, &code, from).await?;
        let codes = self
            .change_second_factor(&account.id, |known| {
                Ok(known.cloned().ok_or(AccessError::NoSecondFactor)?.with_new_recovery_codes())
            })
            .await?;
        self.record(vec![from.did(Action::RecoveryCodesMade, &account)]).await;
        Ok(codes)
    }

    /// Removes the second factor of an account, which signs in with the password alone then. Errors where it has none.
    pub async fn remove_second_factor(&self, account: &UserId) -> Result<(), AccessError> {
        let _alone = self.changing.lock().await;
        if !self.has_second_factor(account) {
            return Err(AccessError::NoSecondFactor);
        }
        self.store.remove_second_factor(account).await?;
        self.second_factors().forget(account);
        Ok(())
    }

    /// Uses a code of an account up. Errors with `WrongCode` for one that is wrong or was used, and tells not which.
    async fn use_code(&self, account: &Account, code: &str, from: &Requester) -> Result<(), AccessError> {
        let guessed = GuessTarget::SecondFactor(account.id.clone());
        self.begin_try(&guessed, from.network)?;
        // Of two who send the same one at the same moment one is first.
        let counted = self.change_second_factor(&account.id, |known| {
            let known = known.ok_or(AccessError::NoSecondFactor)?;
            known.after(code, now_ms() / 1_000).ok_or(AccessError::WrongCode)
        });
        match counted.await {
            Ok(counted) => {
                self.throttle().succeeded(&guessed, from.network);
                if counted == Counted::Recovery {
                    self.record(vec![from.did(Action::RecoveryCodeUsed, account)]).await;
                }
                Ok(())
            }
            Err(AccessError::WrongCode) => {
                self.record(vec![from.failed_second_factor(account)]).await;
                Err(AccessError::WrongCode)
            }
            Err(error) => {
                self.throttle().withdraw(&guessed, from.network);
                Err(error)
            }
        }
    }

    /// Makes another state of the second factor of an account out of what it is now. Nobody else changes it meanwhile.
    async fn change_second_factor<T: Send>(
        &self,
        account: &UserId,
        change: impl FnOnce(Option<&SecondFactor>) -> Result<(SecondFactor, T), AccessError> + Send,
    ) -> Result<T, AccessError> {
        let _alone = self.changing.lock().await;
        let known = self.second_factors().by_account.get(account).cloned();
        let (after, result) = change(known.as_ref())?;
        match self.store.put_second_factor(after.clone()).await {
            Ok(()) => {}
            Err(StoreError::Gone) => return Err(ChangeError::NoAccount.into()),
            Err(error) => return Err(error.into()),
        }
        self.second_factors().put(after);
        Ok(result)
    }

    pub(in crate::server::access) fn second_factors(&self) -> MutexGuard<'_, SecondFactors> {
        self.second_factors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What shows that somebody may change their second factor.
pub struct Proof {
    pub password: String,
    /// Of the app, or a recovery code.
    pub code: String,
}

/// What turns a second factor on.
pub struct SetUp {
    pub password: String,
    /// A code of the second factor of before, or a recovery code; empty where there is none.
    pub before: String,
    /// A code of the app that was set up.
    pub code: String,
}
