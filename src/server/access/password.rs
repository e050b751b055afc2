//! Passwords: hashed with Argon2id, a few at a time, and refused where they are easy to guess.

use std::sync::Arc;
use std::thread;

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{Semaphore, oneshot};

/// Bytes of a password.
pub const MIN_BYTES: usize = 10;
pub const MAX_BYTES: usize = 200;
/// Memory of one hash, KiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
/// Hashes at once: others wait, so that a flood of sign-ins takes no more memory than these.
const AT_ONCE: usize = 2;
/// Sign-ins that wait for a hash. More of them are told to come again.
const WAITING: usize = 64;
/// The niceness of threads that hash: somebody who signs in can wait for those who edit. Not the least there is, so that
/// people sign in on a busy machine, too.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;
/// Guesses, as a power of ten, that a password has to withstand: more than a list of the commonest has.
const MIN_GUESSES_LOG10: f64 = 6.0;

/// Why a password is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    #[error("A password has at least {MIN_BYTES} characters.")]
    Short,
    #[error("A password has at most {MAX_BYTES} bytes.")]
    Long,
    #[error(
        "This password is easy to guess. Take one that is in no list, and has neither your name nor your address in it."
    )]
    Guessable,
}

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    Right,
    /// It is right, and its hash was made with other parameters: it is to be hashed anew.
    RightAndOld,
    Wrong,
}

/// More wait than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Hashes passwords.
pub struct Hasher {
    /// What an unknown account is checked against, so that it takes as long as a known one.
    decoy: String,
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        let decoy = hash(&rand::random::<[u8; 16]>());
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { decoy, at_once: semaphore(AT_ONCE), waiting: semaphore(AT_ONCE + WAITING) }
    }
}

impl Hasher {
    /// The hash of a password, in PHC form.
    pub async fn hash(&self, password: String) -> Result<String, Busy> {
        self.work(move || hash(password.as_bytes())).await
    }

    /// Whether a password is that of a hash. Without a hash it takes as long, and is wrong.
    pub async fn check(&self, password: String, known: Option<String>) -> Result<Checked, Busy> {
        let is_known = known.is_some();
        let known = known.unwrap_or_else(|| self.decoy.clone());
        let checked = self.work(move || check(password.as_bytes(), &known)).await?;
        Ok(if is_known { checked } else { Checked::Wrong })
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| Busy)?;
        let turn = self.at_once.clone().acquire_owned().await.map_err(|_| Busy)?;
        let others_wait = self.waiting.available_permits() < WAITING;
        // A thread of its own each time: what is made nicer can't be made less nice again.
        let (done, result) = oneshot::channel();
        let hash = move || {
            give_way(others_wait);
            let _ = done.send(work());
            // Whoever asked may be gone, and the memory is taken until now.
            drop((turn, waiting));
        };
        thread::Builder::new().name("password".to_owned()).spawn(hash).map_err(|_| Busy)?;
        result.await.map_err(|_| Busy)
    }
}

/// Checks a new password. `about` is what it is not to be made of, such as the person's name.
pub fn check_strength(password: &str, about: &[&str]) -> Result<(), Weak> {
    if password.chars().count() < MIN_BYTES {
        return Err(Weak::Short);
    }
    if password.len() > MAX_BYTES {
        return Err(Weak::Long);
    }
    let words = about.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).chain(about.iter().copied()).collect();
    let guesses = zxcvbn::zxcvbn(password, &words).guesses_log10();
    if guesses < MIN_GUESSES_LOG10 { Err(Weak::Guessable) } else { Ok(()) }
}

/// Lets other threads go first. On Linux alone a thread has a niceness of its own.
///
/// A niceness shares the core out in slices of some milliseconds, and an edit waits for several. So while others wait to be
/// checked, which some people who sign in at once do for a moment and a flood of guesses all the time, what is idle has to
/// be enough: every other thread that wakes takes the core at once.
fn give_way(is_crowded: bool) {
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::process::setpriority_process(None, NICE);
        if is_crowded {
            // SAFETY: zeros are a value of `sched_param`, which is read alone, and it is this thread alone that the
            // system then schedules so.
            unsafe {
                let param: libc::sched_param = std::mem::zeroed();
                libc::sched_setscheduler(0, libc::SCHED_IDLE, &param);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = is_crowded;
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("parameters that Argon2 takes");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash(password: &[u8]) -> String {
    let salt = SaltString::generate(&mut OsRng);
    argon2().hash_password(password, &salt).expect("it hashes up to 4 GiB").to_string()
}

fn check(password: &[u8], known: &str) -> Checked {
    let Ok(known) = PasswordHash::new(known) else { return Checked::Wrong };
    // With the parameters that stand in the hash.
    if argon2().verify_password(password, &known).is_err() {
        return Checked::Wrong;
    }
    let now = argon2();
    let is_as_now = Params::try_from(&known).is_ok_and(|params| {
        let now = now.params();
        (params.m_cost(), params.t_cost(), params.p_cost()) == (now.m_cost(), now.t_cost(), now.p_cost())
    });
    let is_id = known.algorithm == Algorithm::Argon2id.ident();
    if is_as_now && is_id { Checked::Right } else { Checked::RightAndOld }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other() {
        let hasher = Hasher::default();
        let known = hasher.hash("correct horse battery".to_owned()).await.expect("hashes");
        assert!(known.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{known}");
        let check = async |password: &str, known: Option<&str>| {
            hasher.check(password.to_owned(), known.map(str::to_owned)).await.expect("checks")
        };
        assert_eq!(check("correct horse battery", Some(&known)).await, Checked::Right);
        assert_eq!(check("correct horse batterz", Some(&known)).await, Checked::Wrong);
        assert_eq!(check("correct horse battery", None).await, Checked::Wrong);
        assert_eq!(check("correct horse battery", Some("no hash")).await, Checked::Wrong);
    }

    #[test]
    fn a_hash_of_other_parameters_is_made_anew() {
        let small =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(1024, 1, 1, None).expect("fits"));
        let salt = SaltString::generate(&mut OsRng);
        let old = small.hash_password(b"correct horse battery", &salt).expect("hashes").to_string();
        assert_eq!(check(b"correct horse battery", &old), Checked::RightAndOld);
        assert_eq!(check(b"wrong", &old), Checked::Wrong);
    }

    #[test]
    fn easy_passwords_are_refused() {
        let check = |password: &str| check_strength(password, &["Ada Lovelace", "ada@example.com"]);
        assert_eq!(check("short"), Err(Weak::Short));
        assert_eq!(check(&"x1y2".repeat(60)), Err(Weak::Long));
        for password in
            ["password123", "qwertyuiop", "1234567890", "adalovelace", "aaaaaaaaaaaa", "iloveyou12"]
        {
            assert_eq!(check(password), Err(Weak::Guessable), "{password}");
        }
        assert_eq!(check("correct horse battery staple"), Ok(()));
        assert_eq!(check("Zug-fährt-um-8:40-ab"), Ok(()));
    }

    #[tokio::test]
    async fn s10_a_hash_takes_its_turn_until_it_is_made_though_whoever_asked_is_gone() {
        let hasher = Hasher::default();
        let ((begin, begun), (end, ended)) = (oneshot::channel(), std::sync::mpsc::channel::<()>());
        let work = hasher.work(move || {
            let _ = begin.send(());
            let _ = ended.recv();
        });
        tokio::select! {
            biased;
            _ = work => panic!("it waits"),
            started = begun => started.expect("starts"),
        }
        assert_eq!(hasher.at_once.available_permits(), AT_ONCE - 1);
        end.send(()).expect("the thread waits");
        let all = u32::try_from(AT_ONCE).expect("few");
        let _all = hasher.at_once.acquire_many(all).await.expect("given back");
    }

    #[tokio::test]
    async fn s10_so_many_wait_for_a_hash() {
        let hasher = Hasher::default();
        let most = u32::try_from(AT_ONCE + WAITING).expect("few");
        let all = hasher.waiting.acquire_many(most).await.expect("open");
        assert_eq!(hasher.hash("correct horse battery".to_owned()).await, Err(Busy));
        drop(all);
        assert_eq!(hasher.check(String::new(), Some("no hash".to_owned())).await, Ok(Checked::Wrong));
    }
}
