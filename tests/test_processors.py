"""The processors that a process is allowed to use, from the files of control groups below a folder of the test's."""

import os

import pytest

from ddbench.processors import allowed_processors

V2, V1 = "0::/job/step\n", "5:cpuset:/job/step\n4:cpu,cpuacct:/job/step\n1:name=systemd:/job/step\n"
GROUP = "sys/fs/cgroup"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that writes files, path -> text, and counts; 16 processors are in the affinity."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))

    def counted(groups, **files):
        for path, text in {"proc/self/cgroup": groups, **{f"{GROUP}/{k}": v for k, v in files.items()}}.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return allowed_processors(tmp_path)

    return counted


@pytest.mark.parametrize(
    ("groups", "files", "allowed"),
    [
        (V2, {}, 16),
        (V2, {"job/step/cpu.max": "max 100000\n"}, 16),
        (V2, {"job/step/cpu.max": "400000 100000\n"}, 4),
        (V2, {"job/cpu.max": "300000 100000\n", "job/step/cpu.max": "max 100000\n"}, 3),
        (V2, {"job/cpu.max": "300000 100000\n", "job/step/cpu.max": "800000 100000\n"}, 3),
        (V2, {"job/step/cpu.max": "250000 100000\n"}, 2),
        (V2, {"job/step/cpu.max": "50000 100000\n"}, 1),
        (V2, {"job/step/cpu.max": "6400000 100000\n"}, 16),
        (V2, {"job/step/cpuset.cpus.effective": "0-2,8,10-11\n"}, 6),
        (V2, {"job/step/cpuset.cpus.effective": "0-7\n", "job/cpu.max": "500000 100000\n"}, 5),
        (V2, {"unified/job/step/cpu.max": "200000 100000\n"}, 2),
        (V2, {"cpu.max": "200000 100000\n"}, 2),  # the container's own group, under the path of the host
        (V2, {"job/step/cpuset.cpus": "\n", "job/step/cpu.max": "\n"}, 16),
        (
            V1,
            {"cpu,cpuacct/job/step/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/job/step/cpu.cfs_period_us": "100000\n"},
            16,
        ),
        (V1, {"cpu,cpuacct/job/step/cpu.cfs_quota_us": "2000", "cpu,cpuacct/job/step/cpu.cfs_period_us": "1000"}, 2),
        (V1, {"cpu/job/cpu.cfs_quota_us": "7000", "cpu/job/cpu.cfs_period_us": "1000"}, 7),
        (V1, {"cpu/cpu.cfs_quota_us": "7000", "cpu/cpu.cfs_period_us": "1000"}, 7),
        (V1, {"cpuset/job/step/cpuset.cpus": "4-7\n"}, 4),
        (V1, {"cpuset/job/step/cpuset.effective_cpus": "4,6\n", "cpuset/job/step/cpuset.cpus": "0-15\n"}, 2),
        ("", {"cpu.max": "200000 100000\n"}, 16),
    ],
)
def test_the_smallest_of_affinity_quotas_and_cpusets_is_allowed(groups, files, allowed, machine):
    assert machine(groups, **files) == allowed


def test_other_groups_do_not_count(machine):
    assert machine(V2, **{"other/cpu.max": "100000 100000\n", "job/step/inner/cpu.max": "100000 100000\n"}) == 16


def test_where_there_are_no_control_groups_the_affinity_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    assert allowed_processors(tmp_path) == 2


def test_no_more_is_allowed_here_than_the_affinity_of_this_process():
    assert 1 <= allowed_processors() <= len(os.sched_getaffinity(0))
