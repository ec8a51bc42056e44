//! The search beside a search of every place and every pixel, in one run: a logo of 100x60 pixels on screens of 720p and 1080p. The last word of a case is
//! what is asked of it: `there` to the pixel, `noisy` as a capture card shows it, `absent` with something like it on the screen.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may stop at the first surprise")]

mod drawn;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use drawn::{SIZES, logo, scene, with};
use headend_media::Picture;

/// A score that image matches ask for: 95 % of the pixels within 32.
const LEAST: f64 = 0.83;

/// Every place, every pixel, in rows that the compiler makes vector instructions of.
fn exhaustive(image: &Picture, what: &Picture) -> (u64, u32, u32) {
    let mut best = (u64::MAX, 0, 0);
    for y in 0..=image.height() - what.height() {
        for x in 0..=image.width() - what.width() {
            let rows = (0..what.height()).zip(what.rows()).map(|(row, wanted)| {
                let here = &image.row(y + row)[x as usize * 3..][..wanted.len()];
                u64::from(here.iter().zip(wanted).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>())
            });
            best = best.min((rows.sum(), y, x));
        }
    }
    best
}

fn find(c: &mut Criterion) {
    for (name, width, height) in SIZES {
        let below = scene(width, height);
        let place = (width - 240, height / 2 + 31);
        let known = logo(1);
        let mut group = c.benchmark_group(format!("find 100x60/{name}"));
        group.sample_size(20).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
        for (case, screen) in [
            ("there", with(&below, &known, place.0, place.1, 0)),
            ("noisy", with(&below, &known, place.0, place.1, 12)),
            ("absent", with(&below, &logo(2), place.0, place.1, 0)),
        ] {
            let seen = screen.find(&known, None, screen.bounds(), LEAST, &|| false).unwrap();
            assert_eq!(seen.is_some(), case != "absent", "{case}: {seen:?}");
            group.bench_function(case, |b| {
                b.iter(|| black_box(&screen).find(&known, None, screen.bounds(), LEAST, &|| false));
            });
        }
        if name == "720p" {
            let screen = with(&below, &known, place.0, place.1, 12);
            group.sample_size(10);
            group.bench_function("every place and pixel", |b| b.iter(|| exhaustive(black_box(&screen), &known)));
        }
        group.finish();
    }
}

criterion_group!(benches, find);
criterion_main!(benches);
