//! `run` does one of a few jobs of size `n` with Rust's own library and returns a checksum.
use std::collections::{BTreeMap, HashMap};

fn sum(text: &str) -> i64 {
    text.bytes().fold(7, |h: i64, b| h.wrapping_mul(1_000_003) ^ i64::from(b))
}

#[no_mangle]
pub extern "C" fn run(kind: i32, n: i32) -> i64 {
    match kind {
        0 => {
            let mut list: Vec<u64> = (0..n as u64).map(|i| i.wrapping_mul(0x9e37_79b9) % 10_007).collect();
            list.sort_unstable();
            sum(&format!("{list:?}"))
        }
        1 => {
            let mut counts: HashMap<String, u32> = HashMap::new();
            for i in 0..n {
                *counts.entry(format!("k{}", i % 91)).or_default() += i as u32;
            }
            let sorted: BTreeMap<_, _> = counts.into_iter().collect();
            sum(&format!("{sorted:?}"))
        }
        2 => {
            let text: String = (0..n).map(|i| format!("{}:{:.3};", i, f64::from(i).sqrt())).collect();
            let total: f64 = text
                .split(';')
                .filter_map(|part| part.split_once(':'))
                .filter_map(|(_, value)| value.parse::<f64>().ok())
                .sum();
            sum(&format!("{total} {}", text.replace(':', "=").to_uppercase()))
        }
        _ => {
            let mut grid = vec![vec![0.0f32; 32]; 32];
            for round in 0..n as usize {
                for y in 1..31 {
                    for x in 1..31 {
                        grid[y][x] = (grid[y - 1][x] + grid[y][x + 1]) * 0.25 + (round % 7) as f32;
                    }
                }
            }
            sum(&format!("{:?}", grid[30]))
        }
    }
}
