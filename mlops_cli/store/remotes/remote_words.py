"""What can be wrong with a remote: its code, the sentence, and what to do about it."""

from __future__ import annotations

# what an S3 service answers, by what it means for the person
S3 = {
    "ExpiredToken": "credentials-expired",
    "ExpiredTokenException": "credentials-expired",
    "TokenRefreshRequired": "credentials-expired",
    "RequestExpired": "credentials-expired",
    "UnauthorizedSSOTokenError": "credentials-expired",
    "SSOTokenLoadError": "credentials-expired",
    "InvalidAccessKeyId": "credentials-wrong",
    "SignatureDoesNotMatch": "credentials-wrong",
    "InvalidToken": "credentials-wrong",
    "InvalidClientTokenId": "credentials-wrong",
    "NoCredentialsError": "credentials-missing",
    "PartialCredentialsError": "credentials-missing",
    "ProfileNotFound": "profile-unknown",
    "NoSuchBucket": "bucket-missing",
    "InvalidBucketName": "bucket-missing",
    "AuthorizationHeaderMalformed": "wrong-region",
    "IllegalLocationConstraintException": "wrong-region",
    "PermanentRedirect": "wrong-region",
    "301": "wrong-region",
    "RequestTimeTooSkewed": "clock-skew",
    "RequestInTheFuture": "clock-skew",
    "InvalidObjectState": "remote-archived",
    "NoRegionError": "wrong-region",
}
WORDS = {
    "credentials-expired": (
        "the credentials for {url} have expired",
        "sign in again (for example `aws sso login`), then run the same command",
    ),
    "credentials-wrong": (
        "the remote {url} does not know these credentials",
        "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile: mlops remote list",
    ),
    "credentials-missing": (
        "there are no credentials for {url}",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or name a profile: "
        "mlops remote add --profile; a public bucket wants --anonymous",
    ),
    "profile-unknown": (
        "the profile that {url} is reached with does not exist",
        "aws configure list-profiles",
    ),
    "bucket-missing": (
        "the bucket of the remote {url} does not exist",
        "create the bucket, or correct the URL or the endpoint: mlops remote list",
    ),
    "wrong-region": (
        "the bucket of the remote {url} is in another region",
        "mlops config set remotes.NAME.region REGION",
    ),
    "clock-skew": (
        "the clock of this machine is too far from that of the remote {url}",
        "set the clock (for example `timedatectl set-ntp true`), then run the same command",
    ),
    "remote-archived": (
        "an object at {url} is in cold storage and must be restored first",
        "restore it with the tools of the store, then run the same command",
    ),
    "remote-busy": (
        "the remote {url} is too busy to answer, and stayed so",
        "run the same command again later; it goes on where it ended. "
        "Fewer at once: mlops config set remotes.NAME.jobs 2",
    ),
    "disk-full": (
        "the disk of the remote {url} is full",
        "free some space there and run the same command again; it goes on where it ended",
    ),
    "remote-read-only": (
        "the remote {url} may only be read",
        "push to another remote (mlops remote list), or ask for the right to write there",
    ),
    "remote-denied": (
        "the remote {url} refuses: may not {doing} there",
        "check the credentials and the rights they carry, or the permissions of the folder",
    ),
    "host-unknown": (
        "the key of the host of {url} is not known, or is another than before",
        "compare it, then add it: ssh-keyscan -H HOST >> ~/.ssh/known_hosts",
    ),
    "remote-unavailable": (
        "the remote {url} does not answer as it should: {said}",
        "check the network and the URL (mlops remote list), then run the same command again; "
        "it goes on where it ended",
    ),
}
EXTRAS = {
    "s3": ("s3fs", "s3"),
    "s3a": ("s3fs", "s3"),
    "gs": ("gcsfs", "gs"),
    "gcs": ("gcsfs", "gs"),
    "az": ("adlfs", "azure"),
    "abfs": ("adlfs", "azure"),
    "abfss": ("adlfs", "azure"),
    "ssh": ("paramiko", "ssh"),
    "sftp": ("paramiko", "ssh"),
}
