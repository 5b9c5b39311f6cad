//! Reserved and provisioned concurrency.

use domain::names::Qualifier;

use super::{Answer, Call, Operations, marker, page_items, read_marker, write};
use crate::convert::concurrency;
use crate::generated::operations as op;
use crate::generated::types;

impl Operations {
    pub(super) async fn put_function_concurrency(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::PutFunctionConcurrency>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let reserved = concurrency::executions(asked.reserved_concurrent_executions);
        self.functions.put_function_concurrency(&call.caller, &target, reserved).await?;
        let reserved_concurrent_executions = concurrency::shown(reserved);
        write::<op::PutFunctionConcurrency>(&types::Concurrency { reserved_concurrent_executions })
    }

    pub(super) fn get_function_concurrency(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetFunctionConcurrency>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let reserved = self.functions.get_function_concurrency(&call.caller, &target)?;
        let reserved_concurrent_executions = reserved.and_then(concurrency::shown);
        write::<op::GetFunctionConcurrency>(&types::GetFunctionConcurrencyResponse { reserved_concurrent_executions })
    }

    pub(super) async fn delete_function_concurrency(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::DeleteFunctionConcurrency>()?;
        let target = self.home.read(&asked.function_name, None)?;
        self.functions.delete_function_concurrency(&call.caller, &target).await?;
        write::<op::DeleteFunctionConcurrency>(&())
    }

    pub(super) async fn put_provisioned_concurrency(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::PutProvisionedConcurrencyConfig>()?;
        let target = self.home.read(&asked.function_name, Some(&asked.qualifier))?;
        let requested = concurrency::executions(asked.provisioned_concurrent_executions);
        let put = self.functions.put_provisioned_concurrency(&call.caller, &target, requested).await?;
        write::<op::PutProvisionedConcurrencyConfig>(&concurrency::put(&put))
    }

    pub(super) fn get_provisioned_concurrency(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetProvisionedConcurrencyConfig>()?;
        let target = self.home.read(&asked.function_name, Some(&asked.qualifier))?;
        let found = self.functions.get_provisioned_concurrency(&call.caller, &target)?;
        write::<op::GetProvisionedConcurrencyConfig>(&concurrency::got(&found))
    }

    pub(super) async fn delete_provisioned_concurrency(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::DeleteProvisionedConcurrencyConfig>()?;
        let target = self.home.read(&asked.function_name, Some(&asked.qualifier))?;
        self.functions.delete_provisioned_concurrency(&call.caller, &target).await?;
        write::<op::DeleteProvisionedConcurrencyConfig>(&())
    }

    pub(super) fn list_provisioned_concurrency(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListProvisionedConcurrencyConfigs>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let after = read_marker(asked.marker.as_deref(), |marker| Some(Qualifier::parse(marker)))?;
        let items_max = page_items(asked.max_items);
        let page = self.functions.list_provisioned_concurrency(&call.caller, &target, after.as_ref(), items_max)?;
        write::<op::ListProvisionedConcurrencyConfigs>(&types::ListProvisionedConcurrencyConfigsResponse {
            next_marker: page.next.map(|qualifier| marker(&qualifier.to_string())),
            provisioned_concurrency_configs: Some(
                page.items.iter().map(|found| concurrency::listed(&target.arn, found)).collect(),
            ),
        })
    }
}
