//! What analysers ask of pictures, at 720p and 1080p, and a whole analyser as native code beside the same as a WebAssembly plugin. Needs the guests: `cargo xtask plugins`.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may stop at the first surprise")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use headend_model::PolicyName;
use headend_plugin_host::analyser::drawn::{card, noise, stream};
use headend_plugin_host::analyser::media::{Colour, Picture, Rect};
use headend_plugin_host::{AnalyserHost, AnalyserHostConfig, GuestProgram};

const SIZES: [(&str, u32, u32); 2] = [("720p", 1280, 720), ("1080p", 1920, 1080)];

/// The same pixels, with nothing remembered.
fn fresh(picture: &Picture) -> Picture {
    Picture::colour(picture.width(), picture.height(), picture.read(picture.bounds())).unwrap()
}

/// A card with a logo of 100x60 pixels, and the logo.
fn screen(width: u32, height: u32) -> (Picture, Picture) {
    let (below, logo) = (card(width, height, 3), noise(100, 60, 5));
    let (left, top) = (width - 240, height / 2 + 31);
    let mut data = below.read(below.bounds());
    for y in 0..60_u32 {
        let at = ((top + y) * width + left) as usize * 3;
        data[at..at + 300].copy_from_slice(logo.row(y));
    }
    (Picture::colour(width, height, data).unwrap(), logo)
}

fn primitives(c: &mut Criterion) {
    for (name, width, height) in SIZES {
        let mut group = c.benchmark_group(format!("primitives/{name}"));
        group.sample_size(10).measurement_time(Duration::from_millis(800)).warm_up_time(Duration::from_millis(200));
        let (picture, logo) = screen(width, height);
        let other = card(width, height, 4);
        let all = picture.bounds();
        let tolerance = Colour::new(10, 10, 10);
        group.bench_function("statistics", |b| b.iter(|| black_box(&picture).statistics(all)));
        group.bench_function("near", |b| b.iter(|| black_box(&picture).near(all, Colour::default(), tolerance)));
        group.bench_function("compare", |b| b.iter(|| black_box(&picture).compare(&other, 8, None)));
        group.bench_function("difference", |b| b.iter(|| black_box(&picture).difference(&other)));
        group.bench_function("histogram", |b| b.iter(|| black_box(&picture.grey()).histogram(all)));
        group.bench_function("sums", |b| b.iter(|| black_box(&picture.grey()).sums()));
        group.bench_function("scale to 320x180", |b| b.iter(|| black_box(&picture).scale(320, 180)));
        group.bench_function("grey", |b| {
            b.iter_batched(|| fresh(&picture), |picture| picture.grey(), criterion::BatchSize::LargeInput);
        });
        for (case, what) in [("is there", &logo), ("is not there", &noise(100, 60, 6))] {
            group.bench_function(format!("find 100x60, {case}"), |b| {
                b.iter(|| black_box(&picture).find(what, None, all, 0.8, &|| false));
            });
        }
        group.finish();
    }
}

fn guests() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::env::var_os("HEADEND_GUESTS").map_or_else(|| workspace.join("target/guests"), PathBuf::from)
}

fn whole(c: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    let guest = GuestProgram { program: env!("CARGO_BIN_EXE_headend-guest").into(), args: vec![] };
    let host = AnalyserHost::new(AnalyserHostConfig::new(guest, home.path().join("cache"))).unwrap();
    host.load(&guests().join("analysers/black")).unwrap();
    for (name, width, height) in SIZES {
        let mut group = c.benchmark_group(format!("black/{name}"));
        group.sample_size(10).measurement_time(Duration::from_millis(800)).warm_up_time(Duration::from_millis(200));
        let picture = card(width, height, 0);
        let native = |picture: &Picture| {
            let grey = picture.grey();
            f64::from(grey.near(Rect::of_size(width, height), Colour::default(), Colour::new(24, 24, 24)))
        };
        // A frame's luma is made once whoever asks, so both get frames that have none yet.
        group.bench_function("native", |b| {
            b.iter_batched(|| fresh(&picture), |picture| native(&picture), criterion::BatchSize::LargeInput);
        });
        let mut instance = host.instance(&PolicyName::new("black").unwrap(), &[], "").unwrap();
        group.bench_function("WebAssembly", |b| {
            b.iter_batched(
                || stream([fresh(&picture)]),
                |frames| instance.feed(&frames[0]).unwrap(),
                criterion::BatchSize::LargeInput,
            );
        });
        group.finish();
    }
}

criterion_group!(benches, primitives, whole);
criterion_main!(benches);
