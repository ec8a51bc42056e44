"""Tasks per second of HyperQueue on this machine: `hyperqueue_baseline.py TASKS COMMAND...` prints one number.

A local cluster (server and one worker with all cores) runs one job of TASKS tasks, each COMMAND, without output files;
timed from submit to the last end. It keeps no journal.
"""
import multiprocessing
import sys
import time

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig


def main():
    tasks, command = int(sys.argv[1]), sys.argv[2:]
    with LocalCluster() as cluster:
        cluster.start_worker(WorkerConfig(cores=multiprocessing.cpu_count()))
        client = cluster.client()
        run(client, 10, command)
        print(tasks / run(client, tasks, command))


def run(client, tasks, command):
    job = Job()
    for _ in range(tasks):
        job.program(command, stdout=None, stderr=None)
    began = time.time()
    client.wait_for_jobs([client.submit(job)])
    return time.time() - began


if __name__ == "__main__":
    main()
