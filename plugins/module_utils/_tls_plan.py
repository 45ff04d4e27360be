# Copyright (c) 2026, bulwark.docker contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role daemon_tls is asked for, checked and put into one shape (pure, private).

Sources: dockerd's -H flag (addresses, IPv6 in brackets); the CLI's context store, where a context's directory is the
SHA-256 of its name, and its ssh:// endpoints; ssh_config(5) (time formats); RFC 5280 (a common name has 64 characters
at most).
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ansible_collections.bulwark.docker.plugins.module_utils._errors import ConfigError, RefusedError

__all__ = ["KEY_TYPES", "STORE_NAME", "plan_tls"]

# Arguments of community.crypto's openssl_privatekey, and what x509_certificate_info says of such a key.
KEY_TYPES: Mapping[str, Mapping[str, Any]] = {
    "ecdsa_p256": {"type": "ECC", "curve": "secp256r1", "size": 256},
    "ecdsa_p384": {"type": "ECC", "curve": "secp384r1", "size": 384},
    "ed25519": {"type": "Ed25519", "curve": "", "size": 256},
    "rsa_4096": {"type": "RSA", "curve": "", "size": 4096},
}
STORE_NAME = "bulwark-tls"
CONTROLLER = "localhost"
MADE_BY = "Made by the role bulwark.docker.daemon_tls"
LONGEST_COMMON_NAME = 64
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
DURATION = re.compile(r"([0-9]+[smhdwSMHDW]?)+")
# Without pattern characters and a leading dash, since it becomes an argument and a pattern of ssh.
SSH_TARGET = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9_.-]*|[0-9a-fA-F]*:[0-9a-fA-F:.]*)"
)
SSH_CLIENT_OPTIONS = ("context", "control_persist", "host", "name", "port", "target", "user")
LARGEST_PORT = 65535


def plan_tls(request: Mapping[str, Any]) -> Dict[str, Any]:
    """Check the role's variables together and derive what the tasks need.

    Args:
        request: the variables without the role's prefix, with C(state) V(absent) too when nothing shall listen, and
            C(name), C(names) (of this host), C(interface_facts), C(ssh_target) (where this host is reached by ssh),
            C(play_hosts), C(batch), C(today) (YYYY-MM-DD), C(has_passphrase).

    Returns:
        C(addresses) (none with the state absent), C(sans) of the server's certificate, C(lint_names) (names that one
        must hold), C(common_name), C(key), C(authorities) (by name, the paths of certificate and key), C(clients),
        C(ssh_clients).

    Raises ConfigError or RefusedError, naming the variable.
    """
    addresses: List[str] = []
    if request["state"] == "present":
        addresses = _addresses(request)
        _check_verification(request)
        _check_times(request)
        _check_source(request)
    authorities = _authorities(request)
    clients = _clients(request, addresses)
    ssh_clients = _ssh_clients(request)
    if request["state"] == "present":
        _check_contexts(clients, ssh_clients)
    sans = _alternative_names([request["name"], *request["names"], *addresses, *request["server_names"]])
    must_hold = [name.partition(":")[2] for name in sans]
    if request["source"] == "provided_certificates":
        must_hold = list(request["server_names"]) or [request["name"]]
    return {
        "addresses": addresses,
        "sans": sans,
        "lint_names": must_hold,
        "common_name": request["name"][:LONGEST_COMMON_NAME],
        "key": dict(KEY_TYPES[request["key_type"]]),
        "authorities": authorities,
        "clients": clients,
        "ssh_clients": ssh_clients,
    }


def _addresses(request: Mapping[str, Any]) -> List[str]:
    wanted = list(request["addresses"])
    if request["interface"]:
        found = _interface_addresses(request["interface_facts"])
        if not found:
            raise ConfigError(
                f"daemon_tls_interface {request['interface']!r}: no such interface with an address"
                f" ({request['name']}); name one of 'ip address', or use daemon_tls_addresses"
            )
        wanted += found
    if not wanted:
        raise ConfigError(
            "daemon_tls_addresses []: there is nothing to listen on; name an address or daemon_tls_interface"
        )
    addresses: List[str] = []
    for text in wanted:
        address = _address(text)
        if address.is_unspecified and not request["listen_everywhere"]:
            raise RefusedError(
                f"daemon_tls_addresses {text!r}: it means every interface, those to come too; name the addresses, or"
                " set daemon_tls_listen_everywhere: true"
            )
        if str(address) not in addresses:
            addresses.append(str(address))
    return addresses


def _address(text: Any) -> Any:
    try:
        return ipaddress.ip_address(str(text).strip("[]"))
    except ValueError as exc:
        raise ConfigError(
            f"daemon_tls_addresses {text!r}: it is no IP address; dockerd listens on addresses, so name one, and put"
            " names into daemon_tls_server_names"
        ) from exc


def _interface_addresses(facts: Mapping[str, Any]) -> List[str]:
    """Addresses of one interface out of its facts, without those that are valid on one link only."""
    entries = [facts.get("ipv4") or {}, *(facts.get("ipv4_secondaries") or []), *(facts.get("ipv6") or [])]
    texts = [str(entry["address"]) for entry in entries if entry.get("address")]
    return [text for text in texts if not ipaddress.ip_address(text).is_link_local]


def _check_verification(request: Mapping[str, Any]) -> None:
    if request["verify"]:
        return
    waiver = request["waiver"] or {}
    reason, expires = str(waiver.get("reason") or "").strip(), str(waiver.get("expires") or "")
    if not reason or not DAY.fullmatch(expires):
        raise RefusedError(
            "daemon_tls_verify false: everybody who reaches the port would be root; if it must be, set"
            " daemon_tls_waiver with reason and expires (YYYY-MM-DD)"
        )
    if expires < request["today"]:
        raise RefusedError(
            f"daemon_tls_waiver: it expired on {expires} (today is {request['today']}); set daemon_tls_verify: true, or"
            " decide anew"
        )


def _check_times(request: Mapping[str, Any]) -> None:
    lifetime, before = request["lifetime_days"], request["renew_before_days"]
    if not 0 <= before < lifetime:
        raise ConfigError(
            f"daemon_tls_renew_before_days {before!r}: it must be less than daemon_tls_lifetime_days {lifetime!r}, or"
            " every run would renew"
        )


def _check_source(request: Mapping[str, Any]) -> None:
    source, clients = request["source"], request["clients"]
    if source == "provided_certificates":
        _check_provided(request["provided_certificates"] or {})
        if clients:
            raise ConfigError(
                "daemon_tls_clients: with daemon_tls_source 'provided_certificates' nothing can be signed for"
                f" {clients[0].get('name')!r}; have the certificates of clients issued where the server's come from"
            )
        return
    trusted, issuing = list(request["trusted_cas"]), request["issuing_ca"]
    if issuing not in trusted:
        raise ConfigError(
            f"daemon_tls_issuing_ca {issuing!r}: it is not among daemon_tls_trusted_cas {trusted!r}, so nobody would"
            " accept what it signs; add it there"
        )
    if source == "own":
        _check_own(request)
        return
    for name in trusted:
        _check_provided_authority(request, name, needs_key=name == issuing)


def _authorities(request: Mapping[str, Any]) -> Dict[str, Dict[str, str]]:
    """Paths of certificate and key of each trusted CA, by its name; empty where nothing is signed."""
    if request["source"] == "provided_certificates":
        return {}
    trusted = [str(name) for name in request["trusted_cas"]]
    for name in trusted:
        _check_name("daemon_tls_trusted_cas", name)
    if request["source"] == "own":
        base = request["ca_directory"].rstrip("/")
        return {name: {"certificate": f"{base}/{name}/ca.pem", "key": f"{base}/{name}/key.pem"} for name in trusted}
    provided = {name: request["provided_cas"].get(name) or {} for name in trusted}
    return {
        name: {"certificate": str(entry.get("certificate") or ""), "key": str(entry.get("key") or "")}
        for name, entry in provided.items()
    }


def _check_own(request: Mapping[str, Any]) -> None:
    if not request["has_passphrase"]:
        raise ConfigError(
            "daemon_tls_ca_passphrase: it is not set, and the key of the CA is never kept in the clear; set it, best"
            " from a vault"
        )
    host = request["ca_host"]
    if host in request["play_hosts"] and not request["ca_on_docker_host"]:
        raise RefusedError(
            f"daemon_tls_ca_host {host!r}: it is one of the Docker hosts of this play, and who is root there could sign"
            " certificates for all of them; choose another one, or set daemon_tls_ca_on_docker_host: true"
        )


def _check_provided_authority(request: Mapping[str, Any], name: str, needs_key: bool) -> None:
    entry = request["provided_cas"].get(name) or {}
    for part in ("certificate", "key") if needs_key else ("certificate",):
        if not entry.get(part):
            raise ConfigError(
                f"daemon_tls_provided_cas[{name!r}].{part}: it is not set, but daemon_tls_trusted_cas names that CA;"
                f" add its path on {request['ca_host']!r}"
            )


def _check_provided(entry: Mapping[str, Any]) -> None:
    for part in ("ca", "certificate", "key"):
        if not entry.get(part):
            raise ConfigError(
                f"daemon_tls_provided_certificates.{part}: it is not set, but daemon_tls_source is"
                " 'provided_certificates'; add its path"
            )


def _check_name(where: str, name: Any) -> None:
    if not NAME.fullmatch(str(name)):
        raise ConfigError(
            f"{where} {name!r}: it becomes part of a path; use letters, digits, dot, dash and underscore, and begin"
            " with a letter or digit"
        )


def _alternative_names(names: Sequence[Any]) -> List[str]:
    """Subject alternative names as community.crypto writes them, sorted, each once, with those of loopback."""
    found = set()
    for name in [*names, "localhost", "127.0.0.1", "::1"]:
        text = str(name).strip()
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            if text:
                found.add(f"DNS:{text.lower()}")
        else:
            if not address.is_unspecified:
                found.add(f"IP:{address}")
    return sorted(found)


def _clients(request: Mapping[str, Any], addresses: Sequence[str]) -> List[Dict[str, Any]]:
    endpoint = _endpoint(request["name"], addresses, request["port"])
    clients = [_client(request, entry, str(entry.get("endpoint") or endpoint)) for entry in request["clients"]]
    seen: Dict[Tuple[str, str], str] = {}
    for client in clients:
        place = (client["host"], client["directory"])
        if place in seen:
            raise ConfigError(
                f"daemon_tls_clients: {seen[place]!r} and {client['name']!r} both live in {place[1]!r} on {place[0]!r};"
                " give one of them another directory"
            )
        seen[place] = client["name"]
    if request["fetch_directory"]:
        _check_fetched(clients)
    return clients


def _check_fetched(clients: Sequence[Mapping[str, Any]]) -> None:
    seen = set()
    for client in clients:
        if client["fetched_as"] in seen:
            raise ConfigError(
                f"daemon_tls_fetch_directory: two clients on {client['host']!r} are called {client['name']!r}, so their"
                " certificates would get the same place; give one of them another name"
            )
        seen.add(client["fetched_as"])


def _client(request: Mapping[str, Any], entry: Mapping[str, Any], endpoint: str) -> Dict[str, Any]:
    name, host, user = entry.get("name"), str(entry.get("host") or CONTROLLER), entry.get("user")
    _check_name("daemon_tls_clients: name", name)
    home = _home(host, user)
    directory = str(entry.get("directory") or f"{home}/.docker").rstrip("/")
    # One host of a batch makes a client's certificate, or two would write the same files at once.
    batch = list(request["batch"])
    responsible = host if host in batch else batch[0]
    return {
        "name": str(name),
        "host": host,
        "become": _needs_become(host, user),
        "become_user": str(user or "root"),
        "directory": directory,
        "store": f"{directory}/{STORE_NAME}",
        "responsible": responsible == request["name"],
        "fetched_as": f"{name}@{host}",
        "endpoint": endpoint,
        "group_endpoint": f"tcp://{{{{ inventory_hostname }}}}:{request['port']}",
        "context": _context(request["name"], home, endpoint, MADE_BY),
        "wants_context": bool(entry.get("context")),
        "env_path": f"{directory}/{request['name']}.env",
        "env_file": bool(entry.get("env_file")),
        "group_vars_file": entry.get("group_vars_file"),
        "has_way": bool(entry.get("context") or entry.get("env_file") or entry.get("group_vars_file")),
    }


def _home(host: str, user: Any) -> str:
    """The home of a client's user, for the host to expand."""
    return f"~{user or ''}" if host == CONTROLLER else f"~{user or 'root'}"


def _needs_become(host: str, user: Any) -> bool:
    """On the controller, whoever runs Ansible is a client without becoming anybody."""
    return host != CONTROLLER or bool(user)


def _ssh_clients(request: Mapping[str, Any]) -> List[Dict[str, Any]]:
    clients = [_ssh_client(request, entry) for entry in request["ssh_clients"]]
    seen = set()
    for client in clients:
        place = (client["host"], client["home"], client["name"])
        if place in seen:
            raise ConfigError(
                f"daemon_tls_ssh_clients: {client['name']!r} is there twice for {client['home']!r} on"
                f" {client['host']!r}; remove one of them, or give it another name"
            )
        seen.add(place)
    return clients


def _ssh_client(request: Mapping[str, Any], entry: Mapping[str, Any]) -> Dict[str, Any]:
    unknown = sorted(set(entry) - set(SSH_CLIENT_OPTIONS))
    if unknown:
        raise ConfigError(
            f"daemon_tls_ssh_clients: {unknown[0]!r}: there is no such option; use {', '.join(SSH_CLIENT_OPTIONS)}"
        )
    name, user = str(entry.get("name") or request["name"]), entry.get("user")
    host = str(entry.get("host") or CONTROLLER)
    _check_name("daemon_tls_ssh_clients: name", name)
    if name == "default":
        raise ConfigError("daemon_tls_ssh_clients: name 'default': the Docker CLI has that context; use another name")
    persist = str(entry.get("control_persist") or "10m")
    if not DURATION.fullmatch(persist):
        raise ConfigError(
            f"daemon_tls_ssh_clients: control_persist {persist!r}: it is no time; write it like 600, 90s or 1h30m"
        )
    wants_context = entry.get("context")
    pattern, endpoint = _ssh_endpoint(str(entry.get("target") or request["ssh_target"]), entry.get("port"))
    home = _home(host, user)
    return {
        "name": name,
        "host": host,
        "home": home,
        "become": _needs_become(host, user),
        "become_user": str(user or "root"),
        "context": _context(name, home, endpoint, f"{MADE_BY}, over SSH"),
        "wants_context": True if wants_context is None else bool(wants_context),
        "config": f"{home}/.ssh/config",
        "pattern": pattern,
        "control_persist": persist,
    }


def _ssh_endpoint(target: str, port: Any) -> Tuple[str, str]:
    """The host as ssh_config has it, and the address for the Docker CLI."""
    match = SSH_TARGET.fullmatch(target)
    if match is None or not _is_ssh_host(match["host"]):
        raise ConfigError(
            f"daemon_tls_ssh_clients: target {target!r}: it is neither a host nor user@host; write a name or an"
            " address, and the port as port"
        )
    if port is not None and not 0 < int(port) <= LARGEST_PORT:
        raise ConfigError(
            f"daemon_tls_ssh_clients: port {port!r}: there is no such port; use one between 1 and {LARGEST_PORT}"
        )
    user, host = match["user"], match["host"]
    authority = f"[{host}]" if ":" in host else host
    if user:
        authority = f"{user}@{authority}"
    if port is not None:
        authority = f"{authority}:{port}"
    return host, f"ssh://{authority}"


def _is_ssh_host(host: str) -> bool:
    """Whether what has colons is an IPv6 address, and not a host with a port."""
    try:
        return ":" not in host or ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _check_contexts(clients: Sequence[Mapping[str, Any]], ssh_clients: Sequence[Mapping[str, Any]]) -> None:
    over_tls = {(client["host"], client["context"]["meta"]) for client in clients if client["wants_context"]}
    for client in ssh_clients:
        if client["wants_context"] and (client["host"], client["context"]["meta"]) in over_tls:
            raise ConfigError(
                f"daemon_tls_ssh_clients: {client['name']!r} on {client['host']!r}: daemon_tls_clients has a context of"
                " that name there; give this one another name, or set context: false for one of them"
            )


def _context(name: str, home: str, endpoint: str, description: str) -> Dict[str, str]:
    """Where the CLI keeps a context of that name, and what it keeps there."""
    base, identity = f"{home}/.docker/contexts", hashlib.sha256(name.encode()).hexdigest()
    content = {
        "Name": name,
        "Metadata": {"Description": description},
        "Endpoints": {"docker": {"Host": endpoint, "SkipTLSVerify": False}},
    }
    return {"meta": f"{base}/meta/{identity}", "tls": f"{base}/tls/{identity}", "content": json.dumps(content) + "\n"}


def _endpoint(name: str, addresses: Sequence[str], port: int) -> str:
    """Where clients find the engine: by name, unless it listens on loopback alone."""
    host = name
    if addresses and all(ipaddress.ip_address(address).is_loopback for address in addresses):
        host = addresses[0]
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
