# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that listens with mutual TLS, asked by real clients on its own host."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from strangers import FOLDER, curl, load, make_strangers, was_refused

SERVER = "/etc/docker/tls/current"
ENDPOINTS = ("localhost:2376", "127.0.0.1:2376", "[::1]:2376")
SDK = """
import docker, sys
for endpoint in sys.argv[1:]:
    tls = docker.tls.TLSConfig(client_cert=("cert.pem", "key.pem"), ca_cert="ca.pem", verify=True)
    print(docker.DockerClient(base_url="https://" + endpoint, tls=tls).version()["Version"])
"""


def left_by_role(lines):
    """The files without what Ansible itself leaves in a home, and where it keeps what it hands to another user."""
    homes = ("/home/alice", "/home/bob", "/root")
    noise = ("/var/tmp d ", *(f"{home}{below}" for home in homes for below in (" d ", "/.ansible")))
    return [line for line in lines if not line.startswith(noise)]


@pytest.fixture(scope="module")
def version(host):
    return host.check_output("docker version --format '{{.Server.Version}}'")


@pytest.fixture(scope="module")
def strangers(host):
    make_strangers(host)
    answer = curl(host, f"{FOLDER}/good")
    assert answer.rc == 0, answer
    assert "ApiVersion" in answer.stdout
    return FOLDER


def test_curl_reaches_the_engine(host, version):
    answers = [curl(host, "/root/.docker", f"https://{endpoint}/version") for endpoint in ENDPOINTS]
    assert [json.loads(answer.stdout)["Version"] for answer in answers] == [version] * 3


def test_command_line_client_reaches_the_engine(host, version):
    ask = "docker --tlsverify -H tcp://{} version --format '{{{{.Server.Version}}}}'"
    assert [host.check_output(ask.format(endpoint)) for endpoint in ENDPOINTS] == [version] * 3


def test_context_and_environment_file_lead_to_the_engine(host, version):
    name = host.check_output("hostname")
    ask = "docker {} version --format '{{{{.Server.Version}}}}'"
    assert host.check_output(ask.format(f"--context {name}")) == version
    environment = f"set -a && . /root/.docker/{name}.env && echo $DOCKER_HOST &&"
    shown = host.check_output(f"{environment} {ask.format('')}").splitlines()
    assert shown == ["tcp://127.0.0.1:2376", version]


def test_another_user_has_a_certificate_of_his_own(host, version):
    ask = "docker --tlsverify -H tcp://127.0.0.1:2376 version --format '{{.Server.Version}}'"
    assert host.check_output(f'su - alice -c "{ask}"') == version
    owners = host.check_output(
        "stat -L --format '%U %a' /home/alice/.docker/key.pem /root/.docker/key.pem"
    ).splitlines()
    assert owners == ["alice 400", "root 400"]


def test_configuration_of_ssh_is_closed_and_keeps_what_was_there(host):
    kept = host.check_output("cat /home/bob/.ssh/config")
    assert kept.startswith("Host elsewhere.example.org\n    User robert\n")
    shown = host.check_output("stat --format '%U %a' /home/bob/.ssh /home/bob/.ssh/config").splitlines()
    assert shown == ["bob 700", "bob 600"]


def test_controller_has_the_certificates_and_no_key(host):
    name = host.check_output("hostname")
    fetched = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "fetched"
    for place, origin in ((name, SERVER), (f"local-root@{name}", "/root/.docker")):
        for file in ("ca.pem", "cert.pem"):
            assert (fetched / place / file).read_text().strip() == host.check_output(f"cat {origin}/{file}")
    found = [path for path in fetched.rglob("*") if path.is_file()]
    assert {path.name for path in found} == {"ca.pem", "cert.pem"}
    assert [path for path in found if "PRIVATE" in path.read_text()] == []


def test_python_sdk_reaches_the_engine(host, version):
    program = f"cd /root/.docker && python3 -c '{SDK}' {' '.join(ENDPOINTS)}"
    assert host.check_output(program).split() == [version] * 3


def test_ansible_module_reaches_the_engine(host, version):
    bundle = "/root/.docker"
    for endpoint in ENDPOINTS:
        answer = host.ansible(
            "community.docker.docker_host_info",
            f"docker_host=tcp://{endpoint} tls=true validate_certs=true ca_path={bundle}/ca.pem"
            f" client_cert={bundle}/cert.pem client_key={bundle}/key.pem",
        )
        assert answer["host_info"]["ServerVersion"] == version


@contextlib.contextmanager
def tunnel(host):
    """A port on the controller's loopback that leads to the engine's."""
    name = host.backend.get_pytest_id().rpartition("/")[2]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    forward = [
        "-N",
        "-o",
        "ExitOnForwardFailure=yes",
        "-o",
        "ControlPath=none",
        "-L",
        f"127.0.0.1:{port}:127.0.0.1:2376",
    ]
    process = subprocess.Popen(["ssh", "-F", os.environ["BULWARK_SSH_CONFIG"], *forward, name])
    try:
        deadline = time.monotonic() + 30
        with socket.socket() as knocking:
            while knocking.connect_ex(("127.0.0.1", port)) and time.monotonic() < deadline:
                time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_ansible_on_the_controller_reaches_the_engine_with_its_variables(host, version):
    playbook = Path(__file__).resolve().parents[1] / "controller.yml"
    # Python's requests puts these before the CA that it is told.
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_CA_BUNDLE")}
    with tunnel(host) as port:
        options = ["-i", "localhost,", "-e", json.dumps({"tunnel_port": port, "version": version})]
        options += ["-e", f"ansible_python_interpreter={sys.executable}"]
        argv = ["ansible-playbook", *options, str(playbook)]
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        (None, "certificate required|bad certificate"),
        (f"{FOLDER}/foreign", "unknown ca|bad certificate|certificate unknown|decrypt error"),
        (f"{FOLDER}/expired", "certificate expired|bad certificate|expired certificate"),
        (f"{FOLDER}/future", "certificate expired|bad certificate|expired certificate"),
        (SERVER, "bad certificate|unsupported certificate"),
    ],
)
def test_stranger_is_refused(host, strangers, bundle, reason):
    answer = curl(host, bundle)
    assert was_refused(answer, *reason.split("|")), answer


def test_old_protocol_is_refused(host, strangers):
    for protocol in ("1.0", "1.1"):
        answer = curl(host, f"{strangers}/good", more=f"--tlsv1 --tls-max {protocol} --ciphers DEFAULT:@SECLEVEL=0")
        assert (answer.rc, answer.stdout) == (35, ""), answer
        assert "protocol version" in answer.stderr
    assert curl(host, f"{strangers}/good", more="--tls-max 1.2").rc == 0


def test_plaintext_is_refused(host):
    answer = curl(host, None, "http://localhost:2376/version")
    assert "ApiVersion" not in answer.stdout
    assert "HTTP request to an HTTPS server" in answer.stdout


def test_client_refuses_a_wrong_host_name(host, strangers):
    wrong = "--resolve other.example.org:2376:127.0.0.1"
    answer = curl(host, f"{strangers}/good", "https://other.example.org:2376/version", wrong)
    assert (answer.rc, answer.stdout) == (60, ""), answer


def test_forecast_on_the_virgin_host_left_no_trace(host):
    kept = load(host, "before")
    assert len(kept["files_before"]) > 1000
    assert left_by_role(kept["files_before"]) == left_by_role(kept["files_after"])


def test_unix_socket_is_as_it_was(host):
    assert host.check_output("stat --format '0%a %G' /run/docker.sock").split() == load(host, "before")["socket"]
    assert host.service("docker.socket").is_running


def test_engine_shows_what_it_listens_with(host):
    engine = host.ansible("bulwark.docker.engine_info")["engine"]
    assert engine["uncommitted"] is False
    assert engine["divergences"] == []
    named = host.check_output("systemctl show docker.service --property=ExecStart --value")
    assert f"--tlscert={host.check_output(f'readlink -f {SERVER}')}/cert.pem" in named


def test_key_of_the_server_is_closed_and_belongs_to_the_certificate(host):
    assert host.check_output(f"stat -L --format '%U %a' {SERVER} {SERVER}/key.pem").splitlines() == [
        "root 700",
        "root 400",
    ]
    public = host.check_output(f"openssl pkey -in {SERVER}/key.pem -pubout")
    assert public == host.check_output(f"openssl x509 -in {SERVER}/cert.pem -noout -pubkey")


def test_watch_tells_of_expiry_in_time(host):
    assert host.service("bulwark-docker-tls-expiry.timer").is_running
    host.check_output("systemctl start bulwark-docker-tls-expiry.service")
    shown = host.check_output("grep -v '^#' /srv/metrics/bulwark_docker_tls.prom").splitlines()
    end = host.check_output(f'date -d "$(openssl x509 -in {SERVER}/cert.pem -noout -enddate | cut -d= -f2)" +%s')
    assert f'bulwark_docker_certificate_end_seconds{{path="{SERVER}/cert.pem"}} {end}' in shown
    impatient = "sed 's/14 \\* 86400/91 * 86400/' /usr/local/sbin/bulwark-docker-tls-expiry | sh"
    late = host.run(impatient)
    assert late.rc == 1
    assert f"{SERVER}/cert.pem: ends at" in late.stderr
    assert "ca.pem" not in late.stderr
