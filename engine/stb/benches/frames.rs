//! What a picture costs: each kind, at both sizes, and what a box weighs.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use headend_stb::{Fault, Film, Options, Size};

/// A name, and the keys that lead there.
const SCREENS: [(&str, &str); 9] = [
    ("live", ""),
    ("stripes", "Channel+"),
    ("chequers", "4 Ok"),
    ("rings", "6 Ok"),
    ("banner", "Info"),
    ("menu", "Menu"),
    ("guide", "Guide"),
    ("search", "Search Ok Right Ok"),
    ("mosaic", "Mosaic"),
];

fn film(picture: Size, keys: &str) -> Film {
    let mut film = Film::new(Options { picture, ..Options::default() });
    film.press_all(keys).skip(Duration::from_millis(1_500));
    film
}

fn pictures(bench: &mut Criterion) {
    for (name, size) in [("720p", Size::Hd720), ("1080p", Size::Hd1080)] {
        let mut group = bench.benchmark_group(name);
        for (screen, keys) in SCREENS {
            let mut film = film(size, keys);
            group.bench_function(screen, |b| b.iter(|| black_box(film.frame())));
        }
        let mut damaged = film(size, "");
        damaged.order(Fault::Macroblocks { for_us: 86_400_000_000 });
        group.bench_function("macroblocks", |b| b.iter(|| black_box(damaged.frame())));
        group.finish();
    }
}

fn rest(bench: &mut Criterion) {
    let stb = film(Size::Hd720, "Channel+");
    bench.bench_function("sound, one second", |b| b.iter(|| black_box(stb.sound(0, 1_000_000))));
    bench.bench_function("a key, and what follows", |b| {
        b.iter_batched_ref(|| stb.clone(), |film| film.press_all("Channel+").now_us(), BatchSize::SmallInput);
    });
    bench.bench_function("a clone", |b| b.iter(|| black_box(stb.clone())));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    targets = pictures, rest
}
criterion_main!(benches);
