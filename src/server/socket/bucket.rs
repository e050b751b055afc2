//! A token bucket: so many a second in the long run, so many at once.

use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub struct Bucket {
    tokens: f64,
    burst: f64,
    per_s: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(per_s: impl Into<f64>, burst: impl Into<f64>, now: Instant) -> Self {
        let burst = burst.into();
        Self { tokens: burst, burst, per_s: per_s.into(), filled_at: now }
    }

    /// Whether nothing was taken that has not come back since.
    pub fn is_full(&self, now: Instant) -> bool {
        self.tokens_at(now) >= self.burst
    }

    fn tokens_at(&self, now: Instant) -> f64 {
        let filled = now.saturating_duration_since(self.filled_at).as_secs_f64() * self.per_s;
        (self.tokens + filled).min(self.burst)
    }

    /// Takes tokens; where there are too few it takes none and says how long until there are enough.
    pub fn take(&mut self, count: u32, now: Instant) -> Result<(), Duration> {
        let count = f64::from(count).min(self.burst);
        self.tokens = self.tokens_at(now);
        self.filled_at = now;
        if self.tokens >= count {
            self.tokens -= count;
            return Ok(());
        }
        Err(Duration::from_secs_f64((count - self.tokens) / self.per_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_a_burst_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::new(20, 100, start);
        assert!((0..100).all(|_| bucket.take(1, start).is_ok()));
        let wait = bucket.take(1, start).expect_err("empty");
        assert!(wait <= Duration::from_millis(50), "{wait:?}");
        assert!(bucket.take(1, start + Duration::from_millis(51)).is_ok());
        assert!(bucket.take(1, start + Duration::from_millis(52)).is_err());
        assert!(bucket.take(200, start + Duration::from_secs(60)).is_ok(), "more than the burst never fits");
    }
}
