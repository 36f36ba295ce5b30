"""Examples of the compatible API's answers that have no model, by route, as in `http.examples`."""

from collections.abc import Mapping
from typing import Any, Final

PUBLIC_KEY: Final = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEXsH2ev3l0nUe8K1WIxLhQZPjQtdd6CUz9h4Gp7S6Zc"
)
_ROW: Final = {
    "id": 101,
    "machine_id": 1,
    "label": "box",
    "actual_status": "running",
    "cur_state": "running",
    "intended_status": "running",
    "status_msg": "Cloud Copy: transferring 41% 1.2/2.9 GiB 310/812 files",
    "gpu_name": None,
    "start_date": 1768467600.0,
    "end_date": 4102444800.0,
    "extra_env": [],
    "ports": {},
}
_OFFER: Final = {
    "id": 10000001,
    "ask_contract_id": 10000001,
    "machine_id": 1,
    "hostname": "gpu-1",
    "runtime": "process",
    "num_gpus": 2,
    "gpu_name": "RTX 4090",
    "gpu_ram": 24564,
    "cpu_cores": 8,
    "cpu_ram": 64000,
    "disk_space": 500.0,
    "dph_total": 0.0,
    "rentable": True,
}
_KEY: Final = {
    "id": 7,
    "name": "ci",
    "permissions": {"api": {"instance_read": {}}},
    "key_params": None,
    "created_at": 1768467600.0,
    "expires_at": None,
    "last_used_at": None,
}
_SSH_KEY: Final = {
    "id": 3,
    "user_id": 1,
    "public_key": PUBLIC_KEY,
    "key": PUBLIC_KEY,
    "created_at": "2026-01-15T09:00:00+00:00",
    "deleted_at": None,
}


def _done(msg: str, **rest: Any) -> dict[str, Any]:
    return {"success": True, "msg": msg, **rest}


def _said(msg: str) -> dict[str, Any]:
    return {"application/json": _done(msg)}


BY_ROUTE: Final[Mapping[str, Mapping[str, Any]]] = {
    "GET /api/v0/auth/apikeys/": {"application/json": {"apikeys": [_KEY]}},
    "GET /api/v0/auth/apikeys/{key_id}/": {"application/json": _KEY},
    "DELETE /api/v0/auth/apikeys/{key_id}/": _said("API key 7 (ci) is deleted."),
    "POST /api/v0/bundles/": {"application/json": {"offers": [_OFFER]}},
    "PUT /api/v0/search/asks/": {"application/json": {"success": True, "offers": [_OFFER]}},
    "DELETE /api/v0/commands/schedule_job/{job_id}/": _said("Scheduled job 5 deleted."),
    "GET /api/v0/gpu_names/unique/": {"application/json": {"gpu_names": []}},
    "GET /api/v0/gpu_types/": {"application/json": {"gpu_types": []}},
    "GET /api/v0/instances/": {"application/json": {"instances": [_ROW]}},
    "PUT /api/v0/instances/": _said("1 being stopped."),
    "DELETE /api/v0/instances/": _said("1 instances are being destroyed."),
    "GET /api/v0/instances/filters/": {
        "application/json": {
            "filters": [{"actual_status": "running", "verification": None, "gpu_name": None}]
        }
    },
    "GET /api/v0/instances/{instance_id}/": {"application/json": {"instances": _ROW}},
    "PUT /api/v0/instances/{instance_id}/": _said("Instance 102 is labelled."),
    "DELETE /api/v0/instances/{instance_id}/": _said("Instance 102 is being destroyed."),
    "PUT /api/v0/instances/reboot/{instance_id}/": _said("Instance 102 is being rebooted."),
    "GET /api/v0/instances/results/{token}/": {"text/plain": "epoch 1\nepoch 2\n"},
    "GET /api/v0/instances/{instance_id}/ssh/": {
        "application/json": {"success": True, "ssh_keys": [_SSH_KEY]}
    },
    "POST /api/v0/instances/{instance_id}/ssh/": {
        "application/json": _done("SSH key 3 is attached to instance 102.", key=_SSH_KEY)
    },
    "DELETE /api/v0/instances/{instance_id}/ssh/{key_id}/": _said(
        "SSH key 3 is detached from instance 102."
    ),
    "GET /api/v0/ssh/": {"application/json": [_SSH_KEY]},
    "POST /api/v0/ssh/": {"application/json": {"success": True, "key": _SSH_KEY}},
    "PUT /api/v0/ssh/{key_id}/": {"application/json": {"success": True, "key": _SSH_KEY}},
    "DELETE /api/v0/ssh/{key_id}/": _said("SSH key 3 deleted."),
    "GET /api/v0/results/{token}/": {
        "text/plain": "Cloud Copy Operation Finished\n4 copied (6.0 MiB); verified by md5\n"
    },
    "GET /api/v0/users/current/": {
        "application/json": {
            "id": 1,
            "username": "owner",
            "email": "",
            "balance": 0.0,
            "credit": 0.0,
            "host_agreement_accepted": False,
            "api_key": None,
        }
    },
    "GET /api/v1/instances/": {
        "application/json": {
            "success": True,
            "instances": [_ROW],
            "instances_found": 1,
            "total_instances": 1,
            "label_counts": {"box": 1},
            "next_token": None,
        }
    },
}
