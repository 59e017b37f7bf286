//! How far from its epicentre an earthquake is felt, by a published relation between intensity, magnitude and distance.
//!
//! Allen, T. I., Wald, D. J. and Worden, C. B. (2012), Intensity attenuation for active crustal regions, Journal of Seismology
//! 16, 409–433, the model for hypocentral distance, without its site terms: at `r` km from the hypocentre of an earthquake of
//! magnitude `m` the Modified Mercalli intensity is
//!
//! ```text
//! I = 2.085 + 1.428 m - 1.402 ln sqrt(r² + (-0.209 + 2.042 e^(m-5))²) + 0.078 ln(r / 50), the last term beyond 50 km only
//! ```
//!
//! It was fitted to magnitudes 5 to 7.9 within 300 km; outside of that it is an extrapolation, and so is this estimate.

/// The depth taken for an earthquake whose depth isn't known: where a network can't resolve it, it is commonly fixed at 10 km.
pub(crate) const UNKNOWN_DEPTH_KM: f64 = 10.0;

/// The least intensity that counts as felt: III, "felt quite noticeably by persons indoors".
const FELT: f64 = 3.0;

/// Farther than anything on Earth is from anything else.
const FARTHEST_KM: f64 = 20_100.0;

/// The distance from the epicentre, along the surface taken as flat, at which an earthquake is just felt, in whole hundreds of metres;
/// 0 if it isn't felt even there.
pub(crate) fn radius_km(mag: f64, depth_km: f64) -> f64 {
    let depth = depth_km.max(0.0);
    if intensity(mag, depth) < FELT {
        return 0.0;
    }
    // Intensity falls with distance, so halving what it may be finds it; after 40 times that is less than a millimetre.
    let (mut felt, mut beyond) = (depth, FARTHEST_KM);
    for _ in 0..40 {
        let middle = f64::midpoint(felt, beyond);
        if intensity(mag, middle) >= FELT { felt = middle } else { beyond = middle }
    }
    ((felt * felt - depth * depth).sqrt() * 10.0).round() / 10.0
}

/// The Modified Mercalli intensity `r` km from the hypocentre.
fn intensity(mag: f64, r: f64) -> f64 {
    let rupture = -0.209 + 2.042 * (mag - 5.0).exp();
    let near = 2.085 + 1.428 * mag - 1.402 * 0.5 * (r * r + rupture * rupture).ln();
    if r > 50.0 { near + 0.078 * (r / 50.0).ln() } else { near }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intensity_is_that_of_the_published_relation() {
        // Magnitude 6 at 30 km: the rupture's term is -0.209 + 2.042 e = 5.3417, and 2.085 + 8.568 - 1.402 ln 30.4719 = 5.8626.
        assert!((intensity(6.0, 30.0) - 5.8626).abs() < 1e-4, "{}", intensity(6.0, 30.0));
        // Magnitude 7 at 100 km: 14.8795, and 2.085 + 9.996 - 1.402 ln 101.1009 + 0.078 ln 2 = 5.6633.
        assert!((intensity(7.0, 100.0) - 5.6633).abs() < 1e-4, "{}", intensity(7.0, 100.0));
    }

    #[test]
    fn intensity_at_the_radius_is_what_counts_as_felt() {
        for (mag, depth) in [(2.5, 0.0), (4.0, 10.0), (5.5, 33.0), (7.0, 100.0)] {
            let radius = radius_km(mag, depth);
            let there = intensity(mag, radius.hypot(depth));
            assert!((there - FELT).abs() < 0.05, "magnitude {mag} at {depth} km: intensity {there} at {radius} km");
        }
    }

    #[test]
    fn a_small_or_deep_earthquake_is_not_felt() {
        assert_eq!(radius_km(1.0, 10.0), 0.0);
        assert_eq!(radius_km(4.0, 600.0), 0.0);
    }

    #[test]
    fn a_stronger_or_shallower_earthquake_is_felt_farther() {
        assert!(radius_km(5.0, 10.0) > radius_km(4.0, 10.0));
        assert!(radius_km(5.0, 10.0) > radius_km(5.0, 40.0));
        // Above sea level is not less than no depth.
        assert_eq!(radius_km(5.0, -3.0), radius_km(5.0, 0.0));
    }
}
