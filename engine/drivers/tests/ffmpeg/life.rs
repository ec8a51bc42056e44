//! The process: killed, lost, given up.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{assert_tone, begin, common, graph, heard, no_signal, options, picture_after};
use headend_drivers::now_us;
use headend_drivers::tools::ffmpeg::Ffmpeg;

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

async fn process(tool: &Ffmpeg) -> u32 {
    common::awaited("a process", || tool.process()).await
}

#[tokio::test]
async fn a_killed_ffmpeg_comes_back() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let tool = begin(&options(graph("testsrc2=rate=25", Some("sine=frequency=440")))).await;
    picture_after(&tool, 0).await;
    let (first, before_us) = (process(&tool).await, now_us());
    kill_process(pid(first), Signal::KILL).unwrap();
    let second = common::awaited("another process", || tool.process().filter(|number| *number != first)).await;
    picture_after(&tool, before_us + 1).await;
    assert_tone(&heard(&tool).await, 440.0);
    assert_eq!((tool.restarts(), tool.process()), (1, Some(second)));
}

#[tokio::test]
async fn nothing_is_left_when_the_tool_is_dropped() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let tool = begin(&options(graph("testsrc2=rate=25", None))).await;
    picture_after(&tool, 0).await;
    let number = process(&tool).await;
    assert!(test_kill_process(pid(number)).is_ok());
    drop(tool);
    // Gone, and waited for: no zombie either.
    common::awaited("the end of the process", || test_kill_process(pid(number)).is_err().then_some(())).await;
}

#[tokio::test]
async fn a_frozen_ffmpeg_is_no_signal_and_begun_anew() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let mut options = options(graph("testsrc2=rate=25", None));
    options.restart_after_ms = 3_000;
    let tool = begin(&options).await;
    picture_after(&tool, 0).await;
    let number = process(&tool).await;
    kill_process(pid(number), Signal::STOP).unwrap();
    let stopped_us = now_us();
    let error = no_signal(&tool).await;
    assert!(error.starts_with("no signal: no picture from lavfi testsrc2=rate=25 for "), "{error}");
    // What was in the pipe may be younger than the signal.
    picture_after(&tool, stopped_us + 3_000_000).await;
    assert!(tool.restarts() >= 1 && tool.process() != Some(number));
}

/// Says that this process is the one that is to be killed.
const VICTIM: &str = "HEADEND_TEST_VICTIM";

/// The other half of the next story: holds a tool until it is killed.
#[tokio::test]
async fn a_process_that_holds_a_tool() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let tool = begin(&options(graph("testsrc2=rate=25", None))).await;
    picture_after(&tool, 0).await;
    println!("process={}.", process(&tool).await);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn ffmpeg_does_not_outlive_us_even_when_we_are_killed() {
    if common::program("ffmpeg").is_none() {
        return;
    }
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args(["life::a_process_that_holds_a_tool", "--exact", "--nocapture"]).env(VICTIM, "1");
    let mut victim = command.kill_on_drop(true).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(victim.stdout.take().unwrap()).lines();
    let number = async {
        loop {
            let line = said.next_line().await.unwrap().expect("it names the process");
            if let Some((_, number)) = line.split_once("process=") {
                return number.trim_end_matches('.').parse().unwrap();
            }
        }
    };
    let number = tokio::time::timeout(common::LONGEST, number).await.unwrap();
    assert!(test_kill_process(pid(number)).is_ok());
    victim.kill().await.unwrap();
    // Whoever inherits it may leave a zombie.
    let dead = || std::fs::read_to_string(format!("/proc/{number}/stat")).map_or(true, |stat| stat.contains(") Z "));
    common::until("the end of the process", dead).await;
}
