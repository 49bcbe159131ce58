//! Deterministic randomness: the same seed plays the same traffic.

/// A small generator (SplitMix64); good enough for traffic, never for secrets.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number from 0 up to, without, 1.
    pub fn unit(&mut self) -> f64 {
        // 53 bits are what a float can hold exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Tells whether something of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Returns an index below `count`, which must not be 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// Returns a number between the bounds, each order of magnitude as likely as the next.
    pub fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.unit())
    }

    /// Returns how many independent events of this mean happen.
    pub fn poisson(&mut self, mean: f64) -> usize {
        // Knuth's method; a large mean is split, because exp(-mean) would vanish.
        const LARGEST: f64 = 30.0;
        let mut count = 0;
        let mut left = mean;
        while left > 0.0 {
            let limit = (-left.min(LARGEST)).exp();
            let mut product = self.unit();
            while product > limit {
                count += 1;
                product *= self.unit();
            }
            left -= LARGEST;
        }
        count
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_mean_asked_for() {
        let mut random = Random::new(1);
        for mean in [0.0, 0.3, 20.0, 250.0] {
            let total: usize = (0..4000).map(|_| random.poisson(mean)).sum();
            let measured = total as f64 / 4000.0;
            // Five standard errors.
            assert!((measured - mean).abs() <= 5.0 * (mean / 4000.0).sqrt(), "{mean}: {measured}");
        }
    }

    #[test]
    fn lengths_stay_between_their_bounds() {
        let mut random = Random::new(2);
        let lengths: Vec<f64> = (0..1000).map(|_| random.log_uniform(0.01, 60.0)).collect();
        assert!(lengths.iter().all(|l| (0.01..60.0).contains(l)));
        let short = lengths.iter().filter(|l| **l < 0.77).count();
        assert!((400..600).contains(&short), "half lie below the geometric mean, not {short}");
    }
}
