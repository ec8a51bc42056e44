//! Our own accept loop: `axum::serve` sets no timeout for request heads and no bound on connections.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::patient::{Patient, Turns};
use crate::options::Limits;

/// Serves until `stop`; then accepts no more, lets open requests end for at most [`Limits::drain`], and drops the rest.
pub(crate) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        // The permit comes first: what is over the cap waits in the kernel's queue and costs us nothing.
        let permit = tokio::select! {
            () = stop.cancelled() => break,
            permit = permits.clone().acquire_owned() => permit,
        };
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match stream {
            Ok((stream, _)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    serve_one(stream, router, limits, stop).await;
                    drop(permit);
                });
            }
            // Out of file handles, most likely: others will end.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, all_ended).await.is_err() {
        tracing::warn!(left = connections.len(), "connections were cut at shutdown");
        connections.shutdown().await;
    }
}

async fn serve_one(stream: TcpStream, router: Router, limits: Limits, stop: CancellationToken) {
    // Answers are small and come in one piece; waiting for more only delays them.
    let _ = stream.set_nodelay(true);
    let turns = Turns::default();
    let begun = turns.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        begun.begin();
        let (answer, begun) = (router.clone().oneshot(request.map(Body::new)), begun.clone());
        async move {
            let answer = answer.await;
            // A stream that is taken over has no heads any more.
            if answer.as_ref().is_ok_and(|answer| answer.status() != StatusCode::SWITCHING_PROTOCOLS) {
                begun.end();
            }
            answer
        }
    });
    let patient = Patient::new(stream, limits.write_timeout, limits.header_timeout, turns);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // The head itself has less time: the stream sees to that, since it knows when the first byte has come.
        .header_read_timeout(limits.idle_timeout.max(limits.header_timeout))
        .max_headers(64)
        .max_buf_size(64 << 10)
        .half_close(false)
        .serve_connection(TokioIo::new(patient), service)
        // Sessions of persons; whoever takes the stream over ends it at shutdown.
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection broke");
    }
}
