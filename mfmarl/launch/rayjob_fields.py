"""The fields of a RayJob (ray.io/v1) that mfmarl uses, and no others: what is not here is refused.

Written after KubeRay's API reference (v1.6) and that of Kubernetes, names as there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
JobName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,45}[a-z0-9])?$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")]
AbsolutePath = Annotated[str, Field(pattern=r"^/")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Count = Annotated[int, Field(ge=0, le=10**9)]


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Metadata(_Fields):
    name: Name
    namespace: Name
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class ConfigMap(_Fields):
    apiVersion: Literal["v1"]
    kind: Literal["ConfigMap"]
    metadata: Metadata
    data: dict[str, str]


class SecretKeyRef(_Fields):
    name: Name
    key: str


class FieldRef(_Fields):
    fieldPath: Literal["status.podIP"]


class ValueFrom(_Fields):
    secretKeyRef: SecretKeyRef | None = None
    fieldRef: FieldRef | None = None


class Variable(_Fields):
    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    value: str | None = None
    valueFrom: ValueFrom | None = None


class Resources(_Fields):
    requests: dict[str, Quantity]
    limits: dict[str, Quantity]


class Mount(_Fields):
    name: Name
    mountPath: AbsolutePath
    readOnly: bool = False


class TcpSocket(_Fields):
    port: Port


class Probe(_Fields):
    tcpSocket: TcpSocket
    initialDelaySeconds: Count = 0
    periodSeconds: Count = 10
    failureThreshold: Count = 3


class Container(_Fields):
    name: Name
    image: Annotated[str, Field(min_length=1)]
    imagePullPolicy: Literal["Always", "IfNotPresent", "Never"] | None = None
    env: list[Variable]
    resources: Resources
    volumeMounts: list[Mount]
    readinessProbe: Probe | None = None
    livenessProbe: Probe | None = None


class Claim(_Fields):
    claimName: Name


class MapSource(_Fields):
    name: Name


class Volume(_Fields):
    name: Name
    persistentVolumeClaim: Claim | None = None
    configMap: MapSource | None = None


class PodSpec(_Fields):
    containers: Annotated[list[Container], Field(min_length=1)]
    volumes: list[Volume] = []
    nodeSelector: dict[str, str] = {}
    serviceAccountName: Name | None = None


class PodTemplate(_Fields):
    spec: PodSpec


class HeadGroup(_Fields):
    serviceType: Literal["ClusterIP"]
    enableIngress: Literal[False]
    rayStartParams: dict[str, str]
    template: PodTemplate


class WorkerGroup(_Fields):
    groupName: Name
    replicas: Count
    minReplicas: Count
    maxReplicas: Count
    rayStartParams: dict[str, str]
    template: PodTemplate


class AuthOptions(_Fields):
    mode: Literal["token"]
    secretName: Name | None = None


class RayCluster(_Fields):
    rayVersion: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
    authOptions: AuthOptions
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup] = []


class RayJobSpec(_Fields):
    submissionMode: Literal["HTTPMode", "K8sJobMode", "SidecarMode"]
    entrypoint: Annotated[str, Field(min_length=1)]
    runtimeEnvYAML: str | None = None
    backoffLimit: Count = 0
    shutdownAfterJobFinishes: bool = False
    ttlSecondsAfterFinished: Count = 0
    activeDeadlineSeconds: Annotated[int, Field(ge=1)] | None = None
    rayClusterSpec: RayCluster


class RayJobMetadata(Metadata):
    name: JobName


class RayJob(_Fields):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: RayJobMetadata
    spec: RayJobSpec
