//! The one guard that each use case calls first.
//!
//! Until permissions are built it lets every caller do everything to the functions of this account, and nothing
//! to those of another: nobody here can grant that.

use domain::Refusal;
use domain::arn::{FunctionArn, Home};
use domain::layer::LayerArn;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Nobody was asked: the engine runs open.
    Anyone,
}

/// What is about to be done, named as in a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `lambda:CreateFunction`
    CreateFunction,
    /// `lambda:GetFunction`
    GetFunction,
    /// `lambda:GetFunctionConfiguration`
    GetFunctionConfiguration,
    /// `lambda:ListFunctions`
    ListFunctions,
    /// `lambda:UpdateFunctionCode`
    UpdateFunctionCode,
    /// `lambda:UpdateFunctionConfiguration`
    UpdateFunctionConfiguration,
    /// `lambda:DeleteFunction`
    DeleteFunction,
    /// `lambda:InvokeFunction`
    InvokeFunction,
    /// `lambda:PublishVersion`
    PublishVersion,
    /// `lambda:ListVersionsByFunction`
    ListVersionsByFunction,
    /// `lambda:CreateAlias`
    CreateAlias,
    /// `lambda:GetAlias`
    GetAlias,
    /// `lambda:ListAliases`
    ListAliases,
    /// `lambda:UpdateAlias`
    UpdateAlias,
    /// `lambda:DeleteAlias`
    DeleteAlias,
    /// `lambda:PutFunctionConcurrency`
    PutFunctionConcurrency,
    /// `lambda:GetFunctionConcurrency`
    GetFunctionConcurrency,
    /// `lambda:DeleteFunctionConcurrency`
    DeleteFunctionConcurrency,
    /// `lambda:PutProvisionedConcurrencyConfig`
    PutProvisionedConcurrencyConfig,
    /// `lambda:GetProvisionedConcurrencyConfig`
    GetProvisionedConcurrencyConfig,
    /// `lambda:DeleteProvisionedConcurrencyConfig`
    DeleteProvisionedConcurrencyConfig,
    /// `lambda:ListProvisionedConcurrencyConfigs`
    ListProvisionedConcurrencyConfigs,
    /// `lambda:TagResource`
    TagResource,
    /// `lambda:UntagResource`
    UntagResource,
    /// `lambda:ListTags`
    ListTags,
    /// `lambda:AddPermission`
    AddPermission,
    /// `lambda:RemovePermission`
    RemovePermission,
    /// `lambda:GetPolicy`
    GetPolicy,
    /// `lambda:PutFunctionEventInvokeConfig`
    PutFunctionEventInvokeConfig,
    /// `lambda:UpdateFunctionEventInvokeConfig`
    UpdateFunctionEventInvokeConfig,
    /// `lambda:GetFunctionEventInvokeConfig`
    GetFunctionEventInvokeConfig,
    /// `lambda:DeleteFunctionEventInvokeConfig`
    DeleteFunctionEventInvokeConfig,
    /// `lambda:ListFunctionEventInvokeConfigs`
    ListFunctionEventInvokeConfigs,
    /// `lambda:PutFunctionRecursionConfig`
    PutFunctionRecursionConfig,
    /// `lambda:GetFunctionRecursionConfig`
    GetFunctionRecursionConfig,
    /// `lambda:GetAccountSettings`
    GetAccountSettings,
    /// `lambda:GetFunctionCodeSigningConfig`
    GetFunctionCodeSigningConfig,
    /// `lambda:DeleteFunctionCodeSigningConfig`
    DeleteFunctionCodeSigningConfig,
    /// `lambda:GetRuntimeManagementConfig`
    GetRuntimeManagementConfig,
    /// `lambda:PutRuntimeManagementConfig`
    PutRuntimeManagementConfig,
    /// `lambda:PublishLayerVersion`
    PublishLayerVersion,
    /// `lambda:GetLayerVersion`
    GetLayerVersion,
    /// `lambda:ListLayers`
    ListLayers,
    /// `lambda:ListLayerVersions`
    ListLayerVersions,
    /// `lambda:DeleteLayerVersion`
    DeleteLayerVersion,
    /// `lambda:AddLayerVersionPermission`
    AddLayerVersionPermission,
    /// `lambda:RemoveLayerVersionPermission`
    RemoveLayerVersionPermission,
    /// `lambda:GetLayerVersionPolicy`
    GetLayerVersionPolicy,
    /// `lambda:CreateEventSourceMapping`
    CreateEventSourceMapping,
    /// `lambda:GetEventSourceMapping`
    GetEventSourceMapping,
    /// `lambda:ListEventSourceMappings`
    ListEventSourceMappings,
    /// `lambda:UpdateEventSourceMapping`
    UpdateEventSourceMapping,
    /// `lambda:DeleteEventSourceMapping`
    DeleteEventSourceMapping,
}

/// Judges one call on one function.
///
/// # Errors
/// The caller may not.
pub fn check(home: &Home, caller: &Caller, action: Action, resource: &FunctionArn) -> Result<(), Refusal> {
    let (Caller::Anyone, _) = (caller, action);
    if resource.account() == &*home.account { Ok(()) } else { Err(Refusal::OtherAccount) }
}

/// Judges one call on one layer; `arn` is what a refusal names, with the version where there is one.
///
/// # Errors
/// The caller may not.
pub fn check_layer(home: &Home, caller: &Caller, action: Action, layer: &LayerArn, arn: String) -> Result<(), Refusal> {
    let Caller::Anyone = caller;
    if layer.is_of_another_account(home) {
        let account = home.account.to_string();
        return Err(Refusal::LayerOfAnotherAccount { arn, action: format!("{action:?}"), account });
    }
    Ok(())
}

/// Judges one call that names no function.
///
/// # Errors
/// The caller may not.
pub fn check_account(caller: &Caller, action: Action) -> Result<(), Refusal> {
    let (Caller::Anyone, _) = (caller, action);
    Ok(())
}
