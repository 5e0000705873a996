/**
 * Settings that systemd knows in socket units, which distinguish a
 * misspelt one from one that this command doesn't support.
 *
 * @module
 */

/** Settings of a socket, see `systemd.socket(5)`. */
const SOCKET_SETTINGS = words(`
  ListenStream ListenDatagram ListenSequentialPacket ListenFIFO ListenNetlink
  ListenSpecial ListenMessageQueue ListenUSBFunction SocketProtocol
  BindIPv6Only Backlog BindToDevice ExecStopPre SocketUser SocketGroup
  SocketMode DirectoryMode Accept FlushPending Writable MaxConnections
  MaxConnectionsPerSource KeepAlive KeepAliveTimeSec KeepAliveIntervalSec
  KeepAliveProbes DeferAcceptSec NoDelay Priority ReceiveBuffer SendBuffer
  IPTOS IPTTL Mark PipeSize FreeBind Transparent Broadcast PassCredentials
  PassSecurity PassPacketInfo Timestamping TCPCongestion ReusePort
  MessageQueueMaxMessages MessageQueueMessageSize RemoveOnStop Symlinks
  FileDescriptorName Service TriggerLimitIntervalSec TriggerLimitBurst
  SmackLabel SmackLabelIPIn SmackLabelIPOut SELinuxContextFromNet ExecStartPre
  ExecStartPost ExecStopPost TimeoutSec PassPIDFD AcceptFileDescriptors
  PassFileDescriptorsToExec PollLimitIntervalSec PollLimitBurst DeferTrigger
  DeferTriggerMaxSec
`);

/**
 * Settings of the processes that a socket unit starts, see `systemd.exec(5)`,
 * `systemd.kill(5)` and `systemd.resource-control(5)`.
 */
const PROCESS_SETTINGS = words(`
  WorkingDirectory RootDirectory RootImage RootImageOptions RootHash
  RootHashSignature RootVerity ExtensionDirectories ExtensionImages
  MountImages User Group SupplementaryGroups Nice OOMScoreAdjust
  CoredumpFilter IOSchedulingClass IOSchedulingPriority CPUSchedulingPolicy
  CPUSchedulingPriority CPUSchedulingResetOnFork CPUAffinity NUMAPolicy
  NUMAMask UMask Environment EnvironmentFile PassEnvironment UnsetEnvironment
  DynamicUser RemoveIPC StandardInput StandardOutput StandardError
  StandardInputText StandardInputData TTYPath TTYReset TTYVHangup
  TTYVTDisallocate TTYRows TTYColumns SyslogIdentifier SyslogFacility
  SyslogLevel SyslogLevelPrefix LogLevelMax LogRateLimitIntervalSec
  LogRateLimitBurst LogExtraFields SecureBits CapabilityBoundingSet
  AmbientCapabilities TimerSlackNSec NoNewPrivileges KeyringMode ProtectProc
  ProcSubset SystemCallFilter SystemCallArchitectures SystemCallErrorNumber
  SystemCallLog MemoryDenyWriteExecute RestrictNamespaces RestrictRealtime
  RestrictSUIDSGID RestrictAddressFamilies LockPersonality RestrictFileSystems
  LimitCPU LimitFSIZE LimitDATA LimitSTACK LimitCORE LimitRSS LimitNOFILE
  LimitAS LimitNPROC LimitMEMLOCK LimitLOCKS LimitSIGPENDING LimitMSGQUEUE
  LimitNICE LimitRTPRIO LimitRTTIME ReadWriteDirectories ReadOnlyDirectories
  InaccessibleDirectories ReadWritePaths ReadOnlyPaths InaccessiblePaths
  ExecPaths NoExecPaths ExecSearchPath BindPaths BindReadOnlyPaths
  TemporaryFileSystem PrivateTmp PrivateDevices ProtectKernelTunables
  ProtectKernelModules ProtectKernelLogs ProtectClock ProtectControlGroups
  NetworkNamespacePath IPCNamespacePath LogNamespace PrivateNetwork
  PrivateUsers PrivateMounts PrivateIPC ProtectSystem ProtectHome MountFlags
  MountAPIVFS Personality RuntimeDirectoryPreserve RuntimeDirectoryMode
  RuntimeDirectory StateDirectoryMode StateDirectory CacheDirectoryMode
  CacheDirectory LogsDirectoryMode LogsDirectory ConfigurationDirectoryMode
  ConfigurationDirectory SetCredential SetCredentialEncrypted LoadCredential
  LoadCredentialEncrypted TimeoutCleanSec PAMName IgnoreSIGPIPE UtmpIdentifier
  UtmpMode SELinuxContext AppArmorProfile SmackProcessLabel ProtectHostname
  Slice AllowedCPUs StartupAllowedCPUs AllowedMemoryNodes
  StartupAllowedMemoryNodes CPUAccounting CPUWeight StartupCPUWeight CPUShares
  StartupCPUShares CPUQuota CPUQuotaPeriodSec MemoryAccounting MemoryMin
  DefaultMemoryMin DefaultMemoryLow MemoryLow MemoryHigh MemoryMax
  MemorySwapMax MemoryLimit DeviceAllow DevicePolicy IOAccounting IOWeight
  StartupIOWeight IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax
  IOReadIOPSMax IOWriteIOPSMax IODeviceLatencyTargetSec BlockIOAccounting
  BlockIOWeight StartupBlockIOWeight BlockIODeviceWeight BlockIOReadBandwidth
  BlockIOWriteBandwidth TasksAccounting TasksMax Delegate DisableControllers
  IPAccounting IPAddressAllow IPAddressDeny IPIngressFilterPath
  IPEgressFilterPath ManagedOOMSwap ManagedOOMMemoryPressure
  ManagedOOMMemoryPressureLimit ManagedOOMPreference BPFProgram
  SocketBindAllow SocketBindDeny RestrictNetworkInterfaces SendSIGKILL
  SendSIGHUP KillMode KillSignal RestartKillSignal FinalKillSignal
  WatchdogSignal RootImagePolicy RootEphemeral ExtensionImagePolicy
  MountImagePolicy SetLoginEnvironment LogFilterPatterns PrivateBPF
  BPFDelegateCommands BPFDelegateMaps BPFDelegatePrograms
  BPFDelegateAttachments DelegateNamespaces PrivatePIDs ImportCredential
  UserNamespacePath MemoryKSM StateDirectoryQuota StateDirectoryAccounting
  CacheDirectoryQuota CacheDirectoryAccounting LogsDirectoryQuota
  LogsDirectoryAccounting StartupMemoryLow StartupMemoryHigh StartupMemoryMax
  StartupMemorySwapMax StartupMemoryZSwapMax DefaultStartupMemoryLow
  MemoryZSwapMax MemoryZSwapWriteback MemoryPressureWatch
  MemoryPressureThresholdSec ManagedOOMMemoryPressureDurationSec
  DelegateSubgroup CoredumpReceive NFTSet CPUSetPartition
`);

/** Settings of each unit, see `systemd.unit(5)`. */
const UNIT_SETTINGS = words(`
  Description Documentation SourcePath Requires Requisite Wants BindsTo BindTo
  Upholds Conflicts Before After OnSuccess OnFailure PropagatesReloadTo
  PropagateReloadTo ReloadPropagatedFrom PropagateReloadFrom PropagatesStopTo
  StopPropagatedFrom PartOf JoinsNamespaceOf RequiresOverridable
  RequisiteOverridable RequiresMountsFor StopWhenUnneeded RefuseManualStart
  RefuseManualStop AllowIsolate DefaultDependencies OnSuccessJobMode
  OnFailureJobMode OnFailureIsolate IgnoreOnIsolate JobTimeoutSec
  JobRunningTimeoutSec JobTimeoutAction JobTimeoutRebootArgument
  StartLimitIntervalSec StartLimitInterval StartLimitBurst StartLimitAction
  FailureAction SuccessAction FailureActionExitStatus SuccessActionExitStatus
  RebootArgument ConditionPathExists ConditionPathExistsGlob
  ConditionPathIsDirectory ConditionPathIsSymbolicLink
  ConditionPathIsMountPoint ConditionPathIsReadWrite ConditionPathIsEncrypted
  ConditionDirectoryNotEmpty ConditionFileNotEmpty ConditionFileIsExecutable
  ConditionNeedsUpdate ConditionFirstBoot ConditionArchitecture
  ConditionFirmware ConditionVirtualization ConditionHost
  ConditionKernelCommandLine ConditionKernelVersion ConditionCredential
  ConditionSecurity ConditionCapability ConditionACPower ConditionMemory
  ConditionCPUFeature ConditionCPUs ConditionEnvironment ConditionUser
  ConditionGroup ConditionControlGroupController ConditionOSRelease
  ConditionMemoryPressure ConditionCPUPressure ConditionIOPressure
  AssertPathExists AssertPathExistsGlob AssertPathIsDirectory
  AssertPathIsSymbolicLink AssertPathIsMountPoint AssertPathIsReadWrite
  AssertPathIsEncrypted AssertDirectoryNotEmpty AssertFileNotEmpty
  AssertFileIsExecutable AssertNeedsUpdate AssertFirstBoot AssertArchitecture
  AssertVirtualization AssertHost AssertKernelCommandLine AssertKernelVersion
  AssertCredential AssertSecurity AssertCapability AssertACPower AssertMemory
  AssertCPUFeature AssertCPUs AssertEnvironment AssertUser AssertGroup
  AssertControlGroupController AssertOSRelease AssertMemoryPressure
  AssertCPUPressure AssertIOPressure CollectMode SurviveFinalKillSignal
  WantsMountsFor ConditionVersion ConditionPathIsSocket
  ConditionKernelModuleLoaded ConditionMachineTag AssertVersion
  AssertPathIsSocket AssertKernelModuleLoaded
`);

const INSTALL_SETTINGS = words(
  "Alias WantedBy RequiredBy Also DefaultInstance UpheldBy",
);

/** Settings by the section that they belong to, likely ones first. */
export const KNOWN_SETTINGS: ReadonlyMap<string, readonly string[]> = new Map([
  ["Socket", [...SOCKET_SETTINGS, ...PROCESS_SETTINGS]],
  ["Unit", UNIT_SETTINGS],
  ["Install", INSTALL_SETTINGS],
]);

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
